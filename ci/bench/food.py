"""`orderflow work food_consumer` beside Python consumers, on one Apache Kafka broker and one PostgreSQL. `food` calls it.

All are measured from outside and alike: a backlog of orders, from the first rows in the table to the last, and the CPU time and peak
memory of the process.
"""

import argparse
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import psycopg
from confluent_kafka import KafkaException

from food_consumer import GROUP
from measure import (
    STALLED_S,
    Bench,
    Failed,
    Side,
    broker,
    cpu_s,
    free_ports,
    peak_mib,
    positive,
    print_sides,
    running,
    tail,
    verdict,
    wait_until,
)

MIN_RATE = 60_000
MAX_PEAK_MIB = 64


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """A PostgreSQL with `synchronous_commit=on` and its data on disk, run by somebody who is not root; gives its URL."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    as_user: list[str] = []
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]
    data = folder / "data"
    initdb = [
        *as_user,
        str(programs / "initdb"),
        "-D",
        str(data),
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
    ]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    (port,) = free_ports(1)
    settings = [
        f"port={port}",
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "shared_buffers=256MB",
        "max_wal_size=4GB",
    ]
    start = [*as_user, str(programs / "postgres"), "-D", str(data), *[word for setting in settings for word in ("-c", setting)]]
    log = folder.parent / "postgres.log"
    with running(start, log) as process:
        wait_until(lambda: "ready to accept" in log.read_text(errors="replace"), "PostgreSQL", process, log)
        yield f"postgres://postgres@127.0.0.1:{port}/postgres"


class Sink:
    """A backlog of orders, and the table that they end in."""

    def __init__(self, bench: Bench, url: str, orders: int) -> None:
        self.bench, self.orders = bench, orders
        self.rows = psycopg.connect(url, autocommit=True)
        bench.call("work", "food_producer", f"--orders={orders}", "--rate=1000000", "--seed=7")
        # A first consumer makes the table.
        os.environ["DATABASE_URL"] = url

    def count(self) -> int:
        found = self.rows.execute("SELECT count(*) FROM food.orders").fetchone()
        return found[0] if found else 0

    def digest(self) -> tuple[object, ...]:
        """What stands in the table, whoever wrote it; of the items their number, because 8.5 and 8.50 are two texts."""
        order = "order_id || customer_id || total_amount || jsonb_array_length(items) || status || created_at"
        text = f"SELECT count(*), sum(hashtextextended({order}, 0)::numeric) FROM food.orders"
        return tuple(self.rows.execute(text).fetchone() or ())

    def make_table(self, orderflow: Side) -> None:
        with self.bench.worker(orderflow) as (process, log):
            is_made = lambda: self.rows.execute("SELECT to_regclass('food.orders') IS NOT NULL").fetchone() == (True,)
            wait_until(lambda: is_made() and self.count() > 0, "the table", process, log)

    def measure(self, side: Side, at_most_s: float) -> tuple[object, ...] | None:
        """One run over all orders, or over what is stored in so many seconds; gives what the table holds if that is all."""
        self.rows.execute("TRUNCATE food.orders")
        self.rows.execute("CHECKPOINT")
        with self.bench.worker(side) as (process, log):
            wait_until(lambda: self.count() > 0, f"{side.name}: the first row", process, log)
            first, began, began_cpu = self.count(), time.monotonic(), cpu_s(process)
            seen, since = first, began
            # Counting takes the database's time: seldom.
            while (count := self.count()) < self.orders and time.monotonic() - began < at_most_s:
                if count > seen:
                    seen, since = count, time.monotonic()
                elif process.poll() is not None or time.monotonic() - since > STALLED_S:
                    raise Failed(f"{side.name} stands at {count} of {self.orders} rows; its log says\n{tail(log)}")
                time.sleep(0.2)
            took, took_cpu = time.monotonic() - began, cpu_s(process) - began_cpu
            side.peak_mib.append(peak_mib(process))
        side.rates.append((count - first) / took)
        side.cpu_us.append(took_cpu * 1e6 / max(count - first, 1))
        print(f"  {side.name:24} {side.rates[-1]:9,.0f} orders/s {side.cpu_us[-1]:7.2f} CPU-us an order", flush=True)
        return self.digest() if count == self.orders else None


def bench_food(arguments: argparse.Namespace, bench: Bench, url: str) -> bool:
    peer = str(Path(__file__).with_name("food_consumer.py"))
    rust = Side("orderflow work", [arguments.orderflow, "work", "food_consumer", "--brokers"])
    batches = Side("Python, batches", [sys.executable, peer, "batches"])
    rows = Side("Python, row by row", [sys.executable, peer, "rows"])
    sink = Sink(bench, url, arguments.orders)
    sink.make_table(rust)
    print(
        f"{arguments.orders:,} orders, {arguments.runs} runs in turn, one broker, one PostgreSQL, {os.cpu_count()} cores",
        flush=True,
    )
    tables = {
        sink.measure(side, 20.0 if side is rows else 300.0) for _ in range(arguments.runs) for side in (rust, batches, rows)
    }
    if len(tables - {None}) != 1:
        raise Failed(f"the runs stored different orders: {tables}")
    print_sides(rust, batches, rows)
    for side in (batches, rows):
        print(f"rate beside {side.name:20} {median(rust.rates) / median(side.rates):8.1f} times")
    is_fast, is_small = median(rust.rates) >= MIN_RATE, max(rust.peak_mib) <= MAX_PEAK_MIB
    print(
        f"rate {verdict(is_fast, f'{MIN_RATE:,} orders/s or more')}; memory {verdict(is_small, f'{MAX_PEAK_MIB} MiB or less')}"
    )
    return is_fast and is_small


def main() -> int:
    parser = argparse.ArgumentParser(prog="ci/bench/food", description=__doc__)
    parser.add_argument("--orders", type=positive, default=1_000_000, help="orders of each run (default 1000000)")
    parser.add_argument("--runs", type=positive, default=3, help="runs of each side (default 3)")
    parser.add_argument("--orderflow", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--kafka", required=True, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            # On disk: what the database confirms is to be there.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orderflow-bench.")))
            folder.chmod(0o755)
            (folder / "postgres").mkdir()
            brokers = stack.enter_context(broker(arguments.kafka, folder))
            url = stack.enter_context(database(folder / "postgres"))
            return 0 if bench_food(arguments, Bench(arguments.orderflow, brokers, folder, GROUP), url) else 1
    except KeyboardInterrupt:
        return 130
    except (Failed, KafkaException, psycopg.Error, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
