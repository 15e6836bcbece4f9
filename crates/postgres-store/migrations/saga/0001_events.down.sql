DROP TABLE saga.events;
DROP TABLE saga.streams;
