#!/usr/bin/env python3
"""Plays CloudWatch's part beside the emulated AWS: what functions log stands in their log groups. Looks once a second, and ends on
SIGTERM with what there is.

usage: ci/rehearse.d/cloudwatch.py FOLDER    where the emulator keeps the logs, as NAME.log, with the emulated AWS in the environment
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from threading import Event
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

SECONDS = 1
STREAM = "emulated"
AT_ONCE = 5_000  # CloudWatch takes 10,000, and 1 MB


class Log:
    """The log of one function, as far as it was read."""

    def __init__(self, path: Path) -> None:
        self.group, self.path, self.read_bytes = f"/aws/lambda/{path.stem}", path, 0

    def lines(self) -> list[str]:
        """What was added since, in whole lines."""
        with self.path.open("rb") as file:
            file.seek(self.read_bytes)
            text = file.read()
        text = text[: text.rfind(b"\n") + 1]
        self.read_bytes += len(text)
        return text.decode(errors="replace").splitlines()

    def send(self, logs: Any) -> None:
        """A group that is gone, or not there yet, loses its lines, as AWS would lose them without the right to make it."""
        now_ms = int(time.time() * 1000)
        events = [{"timestamp": now_ms, "message": line} for line in self.lines()]
        for begin in range(0, len(events), AT_ONCE):
            batch = events[begin : begin + AT_ONCE]
            try:
                self.put(logs, batch)
            except logs.exceptions.ResourceNotFoundException:
                try:
                    logs.create_log_stream(logGroupName=self.group, logStreamName=STREAM)
                    self.put(logs, batch)
                except logs.exceptions.ResourceNotFoundException:
                    return

    def put(self, logs: Any, events: list[dict[str, Any]]) -> None:
        logs.put_log_events(logGroupName=self.group, logStreamName=STREAM, logEvents=events)


def main() -> None:
    folder, ended, known = Path(sys.argv[1]), Event(), {}
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    logs = boto3.client("logs")
    is_last = False
    while not is_last:
        is_last = ended.wait(SECONDS)
        for path in sorted(folder.glob("*.log")):
            try:
                known.setdefault(path, Log(path)).send(logs)
            except (BotoCoreError, ClientError) as error:
                print(f"{path.name}: {error}", flush=True)


if __name__ == "__main__":
    main()
