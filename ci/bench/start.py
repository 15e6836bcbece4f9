"""How long a function's process takes until it asks for its first event, beside one in Python. `function` calls it.

Both are measured from outside and alike: from just before the process is made to the arrival of its first `next`, and its peak
of resident memory then. Lambda's Runtime API and Secrets Manager are a server in this process, in plain HTTP.
"""

import argparse
import json
import os
import queue
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from threading import Thread

from measure import broker

NEXT_S = 20
SERVICE = "payment_processor"
MAX_START_MS, MAX_SECURED_MS, MAX_PEAK_MIB = 5, 150, 32


class Failed(Exception):
    """The benchmark cannot go on."""


class Lambda(ThreadingHTTPServer):
    """Runtime API and Secrets Manager: notes when a process asks for an event, and never answers that."""

    daemon_threads = True

    def __init__(self, secrets: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.secrets = secrets
        self.asked: queue.SimpleQueue[float | str] = queue.SimpleQueue()
        Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are sent apart: the body would wait 40 ms for the head's acknowledgement
    server: Lambda

    def do_GET(self) -> None:
        self.server.asked.put(time.perf_counter())
        time.sleep(NEXT_S)  # nobody waits for this thread
        self.close_connection = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "X-Amz-Target" in self.headers:
            name = json.loads(body)["SecretId"]
            answer = {"ARN": f"arn:aws:secretsmanager:us-east-1:000000000000:secret:{name}", "Name": name}
            self.answer(200, answer | {"SecretString": self.server.secrets[name]})
        else:
            self.server.asked.put(body.decode())  # an error of INIT
            self.answer(202, {})

    def answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Case:
    """A process, and what its starts gave."""

    name: str
    command: list[str]
    environment: dict[str, str]
    start_ms: list[float] = field(default_factory=list)
    peak_mib: list[float] = field(default_factory=list)

    def start(self, api: Lambda) -> None:
        environment = self.environment | {
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "AWS_LAMBDA_FUNCTION_NAME": SERVICE,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "key",
            "AWS_SESSION_TOKEN": "token",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://{api.address}",
            "RUST_LOG": "error",
        }
        began = time.perf_counter()
        process = subprocess.Popen(
            self.command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            asked = api.asked.get(timeout=NEXT_S)
            if isinstance(asked, str):
                raise Failed(f"{self.name}: {asked}")
            status = Path(f"/proc/{process.pid}/status").read_text()
        except queue.Empty:
            raise Failed(f"{self.name}: asked for no event within {NEXT_S} s") from None
        finally:
            process.kill()
            process.wait()
        peak_kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
        self.start_ms.append((asked - began) * 1_000)
        self.peak_mib.append(int(peak_kib) / 1_024)


def read_variables(file: Path) -> dict[str, str]:
    """What a file for the shell sets; a value may be quoted over several lines."""
    words = shlex.split(file.read_text(), comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--functions", required=True, type=Path)
    parser.add_argument("--orderflow", required=True, type=Path)
    parser.add_argument("--kafka", required=True, type=Path)
    parser.add_argument("--credentials", required=True, type=Path)
    parser.add_argument("--runs", type=int, default=30)
    arguments = parser.parse_args()

    variables = read_variables(arguments.credentials / f"{SERVICE}.env")
    user = {"username": variables["KAFKA_USERNAME"], "password": variables["KAFKA_PASSWORD"]}
    certificate = Path(variables["KAFKA_CA_FILE"]).read_text()
    api = Lambda({"user": json.dumps(user), "ca": json.dumps({"certificate": certificate})})
    secured = {
        "_HANDLER": SERVICE,
        "KAFKA_BROKERS": variables["KAFKA_BROKERS"],
        "KAFKA_USERNAME": variables["KAFKA_USERNAME"],
        "KAFKA_SECRET_ID": "user",
        "KAFKA_CA_SECRET_ID": "ca",
    }
    rust, python = [str(arguments.functions)], [sys.executable, "-B", "function_peer.py"]
    ours = Case("Rust, secrets, TLS, SCRAM", rust, secured)
    theirs = Case("Python, secrets, TLS, SCRAM", python, secured)
    with tempfile.TemporaryDirectory() as folder, broker(arguments.kafka, Path(folder)) as address:
        subprocess.run([arguments.orderflow, "topics", "create", "--brokers", address], check=True, stdout=subprocess.DEVNULL)
        plaintext = {"_HANDLER": SERVICE, "KAFKA_BROKERS": address}
        hello = Case("Rust, hello_world", rust, {"_HANDLER": "hello_world"})
        plain = Case("Rust, plaintext", rust, plaintext)
        cases = [hello, plain, Case("Python, plaintext", python, plaintext), ours, theirs]
        for _ in range(arguments.runs):
            for case in cases:
                case.start(api)

    print(f"{'process':<30} {'p50 ms':>8} {'best ms':>8} {'peak MiB':>9}")
    for case in cases:
        print(f"{case.name:<30} {median(case.start_ms):>8.1f} {min(case.start_ms):>8.1f} {max(case.peak_mib):>9.1f}")
    ratio = median(theirs.start_ms) / median(ours.start_ms)
    print(f"Python takes {ratio:.1f} times as long, {max(theirs.peak_mib) / max(ours.peak_mib):.1f} times the memory")
    missed = [
        what
        for what, found, limit in (
            ("start without Kafka, ms", median(hello.start_ms), MAX_START_MS),
            ("start with secrets, ms", median(ours.start_ms), MAX_SECURED_MS),
            ("peak memory, MiB", max(ours.peak_mib), MAX_PEAK_MIB),
        )
        if found > limit
    ]
    print(f"not reached: {', '.join(missed)}" if missed else "reached: every target")
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failed:
        sys.exit(f"ci/bench/function: error: {failed}")
