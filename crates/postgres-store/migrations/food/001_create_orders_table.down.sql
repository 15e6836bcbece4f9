DROP TABLE food.orders;
