"""`jina-components serve` in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Process:
    """`jina-components serve`, and what it logs."""

    running: subprocess.Popen[bytes]
    log: Path
    url: str = ""

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def requests(self) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["logger"] == "jina_components.access"]


@contextmanager
def serving(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Iterator[Process]:
    """The command, until it listens and to the end of the block, with a port, data and log of its own."""
    command = [sys.executable, "-m", "jina_components", "serve", "--log-format", "json"]
    command += ["--port", "0", "--data", str(folder / "data"), *arguments]
    log = folder / "log.jsonl"
    with log.open("wb") as written, subprocess.Popen(command, stderr=written, env=os.environ | (env or {})) as running:
        process = Process(running, log)
        try:
            while not process.url:
                assert running.poll() is None, log.read_text()
                told = [line["message"] for line in process.lines() if "Listening on" in line.get("message", "")]
                process.url = told[0].split()[-1] if told else ""
                time.sleep(0.05)
            yield process
        finally:
            running.kill()
