DROP TABLE saga.rows;
