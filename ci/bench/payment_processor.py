"""The peer of `orderflow work payment_processor`: the same job with confluent-kafka, tuned.

Same records in, byte for byte the same records out, at-least-once: an offset is stored only after every write of its batch is
confirmed. Reads like `crates/events/src/shop.rs`, and refuses what that refuses, except: a leap second and the last second of
the year 9999 are refused here, and an unknown field may nest deeper than 128.

Tuned: whole batches; one producer for each open batch, so that the next is handled while the last is confirmed, and no callback
for a success; msgspec (twice as fast as orjson here) checks types and ranges while it parses; what an order needs of a time is
looked up by its second.
"""

import gc
import json
import re
import signal
import sys
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import cycle
from typing import Annotated, Literal

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder
from xxhash import xxh3_64_intdigest, xxh3_128_hexdigest

ORDERS, RESULTS = "order_placed", "payment_result"
GROUP = "payment_processor.order_placed"
DEAD_LETTERS = GROUP + ".dead_letter"
SUCCESS_RATE = 0.90  # topology.json, success_percent

BATCH_RECORDS = 5_000
FETCH_S = 0.005
OPEN_BATCHES = 3
DRAIN_S = 10.0

# crates/kafka-transport/src/settings.rs, client, producer and consumer for brokers.
CLIENT = {"client.id": "orderflow", "allow.auto.create.topics": False}
PRODUCER = CLIENT | {
    "acks": "all",
    "enable.idempotence": False,
    "linger.ms": 5,
    "queue.buffering.max.kbytes": 65_536,
    "message.timeout.ms": 30_000,
    "message.max.bytes": 1_000_000_000,
    "partitioner": "murmur2_random",
    "delivery.report.only.error": True,
}
CONSUMER = CLIENT | {
    "group.id": GROUP,
    "auto.offset.reset": "earliest",
    "enable.auto.offset.store": False,
    "enable.auto.commit": True,
    "auto.commit.interval.ms": 500,
    "fetch.wait.max.ms": 500,
    "queued.max.messages.kbytes": 8_192,
    "fetch.queue.backoff.ms": 10,
    "session.timeout.ms": 6_000,
    "heartbeat.interval.ms": 1_500,
    "partition.assignment.strategy": "cooperative-sticky",
}

Identifier = Annotated[str, Meta(min_length=1, max_length=64)]  # which characters: `payment_result`


class Item(Struct, gc=False):
    """A product and how many of it."""

    product_id: Identifier
    quantity: Annotated[int, Meta(ge=1, le=1_000)]
    price: Annotated[float, Meta(ge=0.01, le=100_000.00)]


class OrderPlaced(Struct, gc=False):
    """A customer placed an order."""

    order_id: Identifier
    event_type: Literal["order_placed"]
    timestamp: str
    customer_id: Identifier
    items: Annotated[list[Item], Meta(min_length=1, max_length=100)]
    total: Annotated[float, Meta(ge=0.01, le=10_000_000_000.00)]


class Refused(Exception):
    """The record is no order: no further attempt would change that."""


MAX_VALUE_BYTES = 64 * 1024
IDENTIFIER = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"
MILLISECONDS = [f"{ms:03}Z" for ms in range(1_000)]
MILLISECONDS_OF = {text: ms for ms, text in enumerate(MILLISECONDS)}
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d.\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII | re.DOTALL)
FIRST_MOMENT, LAST_SECOND = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}

decode = Decoder(OrderPlaced).decode


def payment_result(key: bytes | None, value: bytes | None) -> tuple[str, str]:
    """The payment result that answers an order, and its event id."""
    if value is None or len(value) > MAX_VALUE_BYTES:
        raise Refused("value: nothing, or too large")
    order = decode(value)
    if key is None or key != order.order_id.encode():
        raise Refused("key: not the order's id")
    items = order.items
    # Each of our fields is there, and each name and text has two quotes: more of them are other fields, or ours twice.
    if value.count(b'"') != 20 + 8 * len(items):
        refuse_repeated(value)
    identifiers = order.order_id + order.customer_id
    total = 0
    for item in items:
        price = item.price
        cents = int(price * 100 + 0.5)
        if cents / 100 != price:
            raise Refused("price: finer than a cent")
        total += cents * item.quantity
        identifiers += item.product_id
    if identifiers.encode().translate(None, IDENTIFIER):
        raise Refused("order_id, customer_id, product_id: A-Z a-z 0-9 . _ : -")
    if total / 100 != order.total:
        raise Refused("total: not the sum of the items")
    draw = (xxh3_64_intdigest(key + b"\x1fpayment_processor\x1fpayment\x1f1") >> 11) * 2**-53
    result = (
        f'{{"order_id":"{order.order_id}","event_type":"payment_result",'
        f'"timestamp":"{later(order.timestamp, 50 + int(draw * 200))}",'
        f'"status":"{"success" if draw < SUCCESS_RATE else "failed"}","amount":{total // 100}.{total % 100:02}}}'
    )
    return result, event_id(key)


def refuse_repeated(value: bytes) -> None:
    """Refuses one of our fields that stands twice: readers disagree about which counts. Others may."""
    order = json.loads(value.decode(), object_pairs_hook=list)  # objects as lists of pairs
    refuse_repeated_in(order, OrderPlaced.__struct_fields__)
    for item in dict(order)["items"]:
        refuse_repeated_in(item, Item.__struct_fields__)


def refuse_repeated_in(pairs: list[tuple[str, object]], fields: tuple[str, ...]) -> None:
    if sum(name in fields for name, _ in pairs) > len(fields):
        raise Refused("a field stands twice")


def later(timestamp: str, ms: int) -> str:
    """The moment less than a second later, as our own writers write it."""
    written = MILLISECONDS_OF.get(timestamp[20:])
    if written is None or timestamp[10] != "T" or timestamp[19] != ".":
        moment = (moment_of(timestamp) + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")
        return moment.removesuffix("+00:00") + "Z"
    second, next_second = seconds(timestamp[:20])
    ms += written
    return second + MILLISECONDS[ms] if ms < 1_000 else next_second + MILLISECONDS[ms - 1_000]


@lru_cache(maxsize=1_000)
def seconds(second: str) -> tuple[str, str]:
    """A second as it is written up to its milliseconds, and the one after it."""
    after = moment_of(second + "000Z") + timedelta(seconds=1)
    return second, f"{after:%Y-%m-%dT%H:%M:%S.}"


def moment_of(timestamp: str) -> datetime:
    if not RFC_3339.fullmatch(timestamp):
        raise Refused("timestamp: not RFC 3339")
    try:
        moment = datetime.fromisoformat(timestamp.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refused(f"timestamp: {error}") from error
    if not FIRST_MOMENT <= moment < LAST_SECOND:
        raise Refused("timestamp: outside the years 1970 to 9999")
    return moment


def event_id(key: bytes) -> str:
    """The result's identity: a hash of what it is about, written as a UUID of version 8."""
    text = xxh3_128_hexdigest(key + b"\x1fpayment_result\x1f\x1f1")
    return f"{text[:8]}-{text[8:12]}-8{text[13:16]}-{VARIANT[text[16]]}{text[17:20]}-{text[20:]}"


class Worker:
    """The member of the consumer group."""

    def __init__(self, brokers: str) -> None:
        producer = PRODUCER | {"bootstrap.servers": brokers, "on_delivery": self.not_delivered}
        # The batch that each of them writes, and the positions to store once that is confirmed.
        self.producers = [Producer(producer) for _ in range(OPEN_BATCHES)]
        self.open: dict[Producer, list[TopicPartition]] = {}
        self.consumer = Consumer(CONSUMER | {"bootstrap.servers": brokers})
        self.consumer.subscribe([ORDERS], on_revoke=lambda *_: self.settle(), on_lost=lambda *_: self.open.clear())
        self.failure: KafkaError | None = None
        self.is_stopping = False

    def stop(self, *_: object) -> None:
        self.is_stopping = True

    def not_delivered(self, error: KafkaError, _: Message) -> None:
        self.failure = error

    def run(self) -> None:
        for producer in cycle(self.producers):
            if self.is_stopping:
                break
            self.confirm(producer)
            self.turn(producer)
        self.settle()
        self.consumer.close()

    def turn(self, producer: Producer) -> None:
        messages = self.consumer.consume(BATCH_RECORDS, FETCH_S)
        if not messages:
            return
        for message in messages:
            key, value = message.key(), message.value()
            try:
                result, identity = payment_result(key, value)
            except (Refused, DecodeError, UnicodeError) as reason:
                self.refuse(producer, message, str(reason))
                continue
            headers: list[tuple[str, str | bytes | None]] = [("event_id", identity)]
            given = dict(message.headers() or ())
            for name, header in (("run", "run"), ("causation_id", "event_id")):
                if given.get(header) is not None:
                    headers.append((name, given[header]))
            self.write(producer, RESULTS, result, key, headers)
        read = self.consumer.position(self.consumer.assignment())
        self.open[producer] = [position for position in read if position.offset >= 0]

    def refuse(self, producer: Producer, message: Message, reason: str) -> None:
        if message.error():  # its value is the error's text, which is no order
            raise KafkaException(message.error())
        headers = [*(message.headers() or ()), ("kafka_dlt-exception-message", reason)]
        self.write(producer, DEAD_LETTERS, message.value(), message.key(), headers)

    def write(self, producer: Producer, topic: str, value: str | bytes | None, key: bytes | None, headers: list) -> None:
        while True:
            try:
                return producer.produce(topic, value, key, headers=headers)
            except BufferError:
                producer.poll(0.01)

    def confirm(self, producer: Producer) -> None:
        """Waits until the producer's batch is confirmed, and stores how far it read."""
        if producer not in self.open:
            return
        if producer.flush() or self.failure:
            raise KafkaException(self.failure)
        self.consumer.store_offsets(offsets=self.open.pop(producer))

    def settle(self) -> None:
        """Confirms and commits what is open."""
        for producer in list(self.open):
            self.confirm(producer)
        try:
            self.consumer.commit(asynchronous=False)
        except KafkaException as error:
            # Nothing to commit, or the partitions are moving: who gets them answers once more what was answered here.
            passing = {KafkaError._NO_OFFSET, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS}
            if error.args[0].code() not in passing:
                raise


def main() -> None:
    worker = Worker(sys.argv[1])
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    gc.disable()  # nothing here is cyclic
    worker.run()


if __name__ == "__main__":
    main()
