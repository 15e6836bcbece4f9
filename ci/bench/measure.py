"""`orderflow work payment_processor` beside the same job in Python, on one Apache Kafka broker. `worker` calls it.

Both are measured from outside and alike: the results in their topic, the CPU time and the peak memory of the process.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from confluent_kafka import OFFSET_END, Consumer, ConsumerGroupState, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from xxhash import xxh3_128_intdigest

import odd_orders
from payment_processor import DEAD_LETTERS, GROUP, ORDERS, RESULTS

MIN_RATE_RATIO, MAX_CPU_RATIO, MAX_P99_MS = 3.0, 1 / 3, 50
PARTITIONS = range(3)
READY_S, STALLED_S, STOP_S, ASK_S = 30, 60, 30, 10
LOOK_EVERY_S = 0.02
STEADY_S, QUICK_STEADY_S = 20, 6
WARM_UP_MS = 2_000  # the first batches find connections that are just being made

# However this process ends.
ENDS_WITH_US = ["setpriv", "--pdeathsig", "KILL"]

BROKER = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=CLIENT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENT://127.0.0.1:{client}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
# What a run wrote is deleted before the next.
log.segment.delete.delay.ms=1000
"""


class Failed(Exception):
    """The benchmark cannot go on."""


@dataclass
class Side:
    """One of the two, and what its runs gave."""

    name: str
    command: list[str]
    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    peak_mib: list[int] = field(default_factory=list)


@contextmanager
def running(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*ENDS_WITH_US, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=os.environ | environment,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])


def wait_until(done: Callable[[], bool], what: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while not done():
        if process.poll() is not None or time.monotonic() > deadline:
            raise Failed(f"{what}: not within {READY_S} s, or it ended; its log says\n{tail(log)}")
        time.sleep(LOOK_EVERY_S)


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def broker(kafka: Path, folder: Path) -> Iterator[str]:
    """One KRaft broker with a server's JVM; gives its address."""
    client, controller = free_ports(2)
    settings, log = folder / "server.properties", folder / "broker.log"
    settings.write_text(BROKER.format(client=client, controller=controller, folder=folder))
    storage = [
        str(kafka / "bin/kafka-storage.sh"),
        "format",
        "--config",
        str(settings),
        "--cluster-id",
        "b3JkZXJmbG93LWJlbmNoLQ",
    ]
    subprocess.run(storage, check=True, stdout=subprocess.DEVNULL)
    start = [str(kafka / "bin/kafka-server-start.sh"), str(settings)]
    with running(start, log, KAFKA_HEAP_OPTS="-Xms1g -Xmx1g") as process:
        wait_until(lambda: answers(client), "the broker", process, log)
        yield f"127.0.0.1:{client}"


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Bench:
    """The broker with our topics."""

    def __init__(self, orderflow: str, brokers: str, folder: Path, group: str = GROUP) -> None:
        self.orderflow, self.brokers, self.folder, self.group = orderflow, brokers, folder, group
        client: dict[str, str | int | float | bool] = {
            "bootstrap.servers": brokers,
            "log_level": 0,
        }  # what fails is told by its call
        self.admin = AdminClient(client)
        self.writer = Producer(client | {"partitioner": "murmur2_random"})
        self.reader = Consumer(client | {"group.id": "bench", "enable.auto.commit": False, "fetch.queue.backoff.ms": 10})
        self.call("topics", "create")

    def call(self, *arguments: str) -> None:
        command = [*ENDS_WITH_US, self.orderflow, *arguments, "--brokers", self.brokers]
        called = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ | {"RUST_LOG": "error"})
        if called.returncode:
            raise Failed(f"{' '.join(command)}: {called.stderr}")

    def publish(self, orders: int, rate: int, seed: int) -> None:
        self.call("work", "order_generator", f"--orders={orders}", f"--rate={rate}", f"--seed={seed}")

    def bounds(self, topic: str) -> list[tuple[int, int]]:
        """The first offset and the end of each partition."""
        partitions = [TopicPartition(topic, partition) for partition in self.partitions(topic)]
        return [self.reader.get_watermark_offsets(partition, ASK_S) for partition in partitions]

    def partitions(self, topic: str) -> range:
        return range(1) if topic == DEAD_LETTERS else PARTITIONS

    def count(self, topic: str) -> int:
        return sum(end - first for first, end in self.bounds(topic))

    def empty(self, *topics: str) -> None:
        ends = [TopicPartition(topic, partition, OFFSET_END) for topic in topics for partition in self.partitions(topic)]
        await_all(self.admin.delete_records(ends))

    def forget_group(self) -> None:
        """The group begins anew; there may be none yet."""
        if any(group.group_id == self.group for group in self.admin.list_consumer_groups().result().valid):
            await_all(self.admin.delete_consumer_groups([self.group]))

    def records(self, topic: str) -> Iterator[Message]:
        bounds = self.bounds(topic)
        first = [TopicPartition(topic, partition, low) for partition, (low, _) in enumerate(bounds)]
        self.reader.assign(first)
        left = sum(end - low for low, end in bounds)
        while left > 0:
            messages = self.reader.consume(min(left, 10_000), STALLED_S)
            if not messages or messages[0].error():
                raise Failed(f"{topic}: {left} records are missing")
            left -= len(messages)
            yield from messages
        self.reader.unassign()

    def digest(self, topic: str, *, headers: bool) -> tuple[int, int]:
        """How many records there are, and the sum of their hashes: over partition, key, value and headers."""
        count = total = 0
        for message in self.records(topic):
            named = message.headers() if headers else None
            count += 1
            total += xxh3_128_intdigest(repr((message.partition(), message.key(), message.value(), named)).encode())
        return count, total % 2**128

    @contextmanager
    def worker(self, side: Side) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
        self.forget_group()
        log = self.folder / "worker.log"
        with running([*side.command, self.brokers], log, RUST_LOG="error") as process:
            yield process, log
            if process.poll() is not None:
                raise Failed(f"{side.name} ended; its log says\n{tail(log)}")
        if process.returncode:
            raise Failed(f"{side.name} ended with {process.returncode}; its log says\n{tail(log)}")


def await_all(futures: Mapping[Any, Future[Any]]) -> None:
    for future in futures.values():
        future.result()


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """User and system time of all its threads: fields 14 and 15 of the whole line."""
    after_name = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(process: subprocess.Popen[bytes]) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def check_refusals(bench: Bench, sides: list[Side]) -> None:
    """Gives both the same odd and wrong orders: they must answer the same, and refuse the same."""
    records = list(odd_orders.records())
    for key, value in records:
        bench.writer.produce(ORDERS, value, key, headers=[("run", "odd")])
    bench.writer.flush()
    found = []
    for side in sides:
        with bench.worker(side) as (process, log):
            is_done = lambda: bench.count(RESULTS) + bench.count(DEAD_LETTERS) >= len(records)
            wait_until(is_done, f"{side.name}: {len(records)} odd orders", process, log)
        found.append((bench.digest(RESULTS, headers=True), bench.digest(DEAD_LETTERS, headers=False)))
        bench.empty(RESULTS, DEAD_LETTERS)
    (answered, refused), other = found
    if other != (answered, refused):
        raise Failed(f"of {len(records)} odd orders the two answer {answered[0]} and {other[0][0]}, or differently")
    print(f"of {len(records)} odd orders both answer the same {answered[0]} alike, and refuse the other {refused[0]}")
    bench.empty(ORDERS)


def measure(bench: Bench, side: Side, orders: int) -> tuple[int, int]:
    """One run over all orders, from its first result to its last; gives the results' digest."""
    bench.empty(RESULTS)
    with bench.worker(side) as (process, log):
        wait_until(lambda: bench.count(RESULTS) > 0, f"{side.name}: the first result", process, log)
        first, began, began_cpu = bench.count(RESULTS), time.monotonic(), cpu_s(process)
        await_results(bench, side, orders, process, log)
        took, took_cpu = time.monotonic() - began, cpu_s(process) - began_cpu
        side.peak_mib.append(peak_mib(process))
    side.rates.append((orders - first) / took)
    side.cpu_us.append(took_cpu * 1e6 / (orders - first))
    print(f"  {side.name:22} {side.rates[-1]:9,.0f} orders/s {side.cpu_us[-1]:6.2f} CPU-us an order", flush=True)
    return bench.digest(RESULTS, headers=True)


def await_results(bench: Bench, side: Side, orders: int, process: subprocess.Popen[bytes], log: Path) -> None:
    seen, since = 0, time.monotonic()
    while (count := bench.count(RESULTS)) < orders:
        if count > seen:
            seen, since = count, time.monotonic()
        elif process.poll() is not None or time.monotonic() - since > STALLED_S:
            raise Failed(f"{side.name} stands at {count} of {orders} results; its log says\n{tail(log)}")
        time.sleep(LOOK_EVERY_S)


def latency_ms(bench: Bench, side: Side, rate: int, seconds: int) -> list[float]:
    """From the creation of an order to the append of its result, sorted, at a steady rate."""
    bench.empty(ORDERS, RESULTS)
    orders = rate * seconds
    with bench.worker(side) as (process, log):
        wait_until(lambda: is_stable(bench), f"{side.name}: joined", process, log)
        bench.publish(orders, rate, seed=8)
        await_results(bench, side, orders, process, log)
    created = {message.key(): message.timestamp()[1] for message in bench.records(ORDERS)}
    begin = min(created.values()) + WARM_UP_MS
    results = ((created[message.key()], message.timestamp()[1]) for message in bench.records(RESULTS))
    return sorted(appended - created for created, appended in results if created >= begin)


def is_stable(bench: Bench) -> bool:
    group = bench.admin.describe_consumer_groups([GROUP])[GROUP].result()
    return group.state == ConsumerGroupState.STABLE


def stamp_at_append(bench: Bench) -> None:
    entry = ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)
    await_all(bench.admin.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, RESULTS, incremental_configs=[entry])]))


def verdict(is_reached: bool, target: str) -> str:
    return f"{'reached' if is_reached else 'not reached'} (target: {target})"


def print_sides(*sides: Side) -> None:
    print(f"{'':24} {'orders/s':>19} {'CPU-us an order':>17} {'peak memory':>12}")
    print(f"{'':24} {'best':>9} {'median':>9} {'best':>8} {'median':>8} {'MiB':>12}")
    for side in sides:
        rates = f"{max(side.rates):9,.0f} {median(side.rates):9,.0f}"
        print(f"{side.name:24} {rates} {min(side.cpu_us):8.2f} {median(side.cpu_us):8.2f} {max(side.peak_mib):12}")


def report(rust: Side, python: Side) -> bool:
    print_sides(rust, python)
    rate = median(rust.rates) / median(python.rates)
    cpu = median(rust.cpu_us) / median(python.cpu_us)
    print(f"rate, ratio of medians   {rate:6.2f}  {verdict(rate >= MIN_RATE_RATIO, f'{MIN_RATE_RATIO:.0f} or more')}")
    print(f"CPU, ratio of medians    {cpu:6.3f}  {verdict(cpu <= MAX_CPU_RATIO, 'a third or less')}")
    return rate >= MIN_RATE_RATIO and cpu <= MAX_CPU_RATIO


def report_latency(bench: Bench, rust: Side, python: Side, seconds: int) -> bool:
    stamp_at_append(bench)
    is_reached = True
    for side in (rust, python):
        rate = int(median(side.rates) / 2)
        ms = latency_ms(bench, side, rate, seconds)
        p50, p99 = ms[len(ms) // 2], ms[len(ms) * 99 // 100]
        print(f"{side.name:24} at {rate:,} orders/s: p50 {p50} ms, p99 {p99} ms", end="")
        print(f"  {verdict(p99 <= MAX_P99_MS, f'p99 {MAX_P99_MS} ms or less')}" if side is rust else "", flush=True)
        is_reached &= side is python or p99 <= MAX_P99_MS
    return is_reached


def bench_worker(arguments: argparse.Namespace, bench: Bench) -> bool:
    rust = Side("orderflow work", [arguments.orderflow, "work", "payment_processor", "--brokers"])
    python = Side("payment_processor.py", [sys.executable, str(Path(__file__).with_name("payment_processor.py"))])
    check_refusals(bench, [rust, python])
    bench.publish(arguments.orders, 1_000_000, seed=7)
    print(f"{arguments.orders:,} orders, {arguments.runs} runs in turn, one broker, {os.cpu_count()} cores", flush=True)
    digests = {measure(bench, side, arguments.orders) for _ in range(arguments.runs) for side in (rust, python)}
    if len(digests) > 1:
        raise Failed(f"the runs wrote different results: {sorted(digests)}")
    print("every run wrote the same results: partition, key, value and headers")
    is_reached = report(rust, python)
    return report_latency(bench, rust, python, QUICK_STEADY_S if arguments.quick else STEADY_S) and is_reached


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"found {text!r}, allowed 1 or more")
    return int(text)


def main() -> int:
    parser = argparse.ArgumentParser(prog="ci/bench/worker", description=__doc__)
    parser.add_argument("--orders", type=positive, help="orders of each run (default 1000000)")
    parser.add_argument("--runs", type=positive, help="runs of each side (default 5)")
    parser.add_argument("--quick", action="store_true", help="a smoke run: 100000 orders, 1 run, shorter steady rates")
    parser.add_argument("--orderflow", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--kafka", required=True, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.orders = arguments.orders or (100_000 if arguments.quick else 1_000_000)
    arguments.runs = arguments.runs or (1 if arguments.quick else 5)
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orderflow-bench.", dir=memory)))
            brokers = stack.enter_context(broker(arguments.kafka, folder))
            return 0 if bench_worker(arguments, Bench(arguments.orderflow, brokers, folder)) else 1
    except KeyboardInterrupt:
        return 130
    except (Failed, KafkaException, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
