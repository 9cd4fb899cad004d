"""A real Redis server, in a folder of its own and without persistence, for the time of the tests."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The server ends when the input is closed, so also with a test run that is killed.
_WATCHED = '"$@" & read -r _; kill -KILL "$!"; wait "$!"'


def redis_program() -> str | None:
    """The server's program."""
    return shutil.which("redis-server")


class RedisServer:
    """A server that can be stopped and started again on its port, which forgets all it held."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                ["sh", "-c", _WATCHED, "sh", *self._command], stdin=subprocess.PIPE, stdout=output, stderr=output
            )
        for _ in range(600):
            if self._process.poll() is not None:
                raise RuntimeError(self._log.read_text())
            if b"PONG" in self._answer():
                return
            time.sleep(0.02)
        raise TimeoutError(self._log.read_text())

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.communicate(timeout=30)  # which closes its input
            self._process = None

    def _answer(self) -> bytes:
        with socket.socket() as asking:
            asking.settimeout(5)
            if asking.connect_ex(("127.0.0.1", self.port)) != 0:
                return b""
            asking.sendall(b"PING\r\n")
            return asking.recv(100)


@contextmanager
def running_redis(program: str) -> Iterator[RedisServer]:
    """Start a server; end it and remove its folder at the end."""
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    server = RedisServer(program, folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
