"""Peers of `orderflow work food_consumer`, with confluent-kafka and psycopg: in batches, or row by row as a plain sink connector does it.

Both process, then commit: checked with msgspec, stored with ON CONFLICT DO NOTHING, and only then are the offsets committed.
usage: food_consumer.py batches|rows BROKERS, with DATABASE_URL
"""

import os
import signal
import sys
from typing import Annotated, Literal

import psycopg
from confluent_kafka import Consumer, Message
from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder, encode
from psycopg.types.json import Jsonb, set_json_dumps

ORDERS, GROUP = "food-orders", "order-processors"
BATCH_RECORDS = 1_000
FETCH_S = 0.05
STORE = """
    INSERT INTO food.orders (order_id, customer_id, items, total_amount, status, created_at)
    VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""


class Item(Struct, gc=False):
    """A dish and how many of it."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    quantity: Annotated[int, Meta(ge=1, le=1_000)]
    price: Annotated[float, Meta(ge=0)]


class Order(Struct, gc=False):
    """An order of food."""

    order_id: Annotated[str, Meta(min_length=1, max_length=64)]
    customer_id: Annotated[str, Meta(min_length=1, max_length=64)]
    items: Annotated[list[Item], Meta(min_length=1, max_length=100)]
    total_amount: Annotated[float, Meta(gt=0)]
    status: Literal["pending"]
    created_at: str


def row(order: Order) -> tuple[object, ...]:
    return order.order_id, order.customer_id, Jsonb(order.items), order.total_amount, order.status, order.created_at


def orders(messages: list[Message], decode: Decoder[Order]) -> list[tuple[object, ...]]:
    found = []
    for message in messages:
        try:
            found.append(row(decode.decode(message.value() or b"")))
        except DecodeError as error:
            print(f"skipped: {error}", file=sys.stderr)
    return found


def main() -> None:
    way, brokers = sys.argv[1:]
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    set_json_dumps(encode)
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": GROUP,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 10,
            "queued.max.messages.kbytes": 8_192,
        }
    )
    consumer.subscribe([ORDERS])
    decode = Decoder(Order)
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        while not stopped:
            messages = [message for message in consumer.consume(BATCH_RECORDS, FETCH_S) if not message.error()]
            if not messages:
                continue
            found = orders(messages, decode)
            if way == "rows":
                for one in found:
                    connection.execute(STORE, one)
                    connection.commit()
            else:
                with connection.transaction(), connection.cursor() as cursor:
                    cursor.executemany(STORE, found)  # in psycopg 3 a pipeline: no round trip a row
            consumer.commit(asynchronous=False)
    consumer.close()


if __name__ == "__main__":
    main()
