"""Servers in processes of their own: who serves the model, how each is started, and what memory it has. Linux only."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.setting import Setting

MODEL = "all-MiniLM-L6-v2"
_START_SECONDS = 120.0
# optimum 2 has no BetterTransformer any more.
_SETTINGS = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "INFINITY_BETTERTRANSFORMER": "false"}
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")


@dataclass(frozen=True)
class Contender:
    """A server: its command by model folder, port and folder for its files; the path that embeds; the key it needs."""

    command: Callable[[str, Path, int, Path], list[str]]
    path: str = "/v1/embeddings"
    is_peer: bool = False
    key: str = ""


def _ours(precision: str) -> Contender:
    def command(python: str, folder: Path, port: int, data: Path) -> list[str]:
        return [
            python, "-m", "jina_components", "serve", "--port", str(port), "--data", str(data),
            "--alias", f"{MODEL}={folder}", "--precision", precision, "--warm-up", MODEL, "--idle-seconds", "86400",
        ]  # fmt: skip

    return Contender(command)


def _infinity(python: str, folder: Path, port: int, data: Path) -> list[str]:  # noqa: ARG001
    return [
        str(Path(python).with_name("infinity_emb")), "v2", "--model-id", str(folder), "--served-model-name", MODEL,
        "--engine", "torch", "--device", "cpu", "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip


PEER = "Infinity"
CONTENDERS: dict[str, Contender] = {
    "ours auto": _ours("auto"),
    "ours float32": _ours("float32"),
    PEER: Contender(_infinity, path="/embeddings", is_peer=True),
}


class Server:
    """A server's process, which stands still (SIGSTOP) while another is measured.

    Args:
        contender: Who.
        python: Its interpreter.
        folder: The model.
        data: Folder for its files, and its log.
        threads: That it may compute with.
        cores: That it may run on.

    Raises:
        RuntimeError: it did not start; its last lines.
    """

    def __init__(
        self, contender: Contender, python: str, folder: Path, data: Path, *, threads: int, cores: set[int]
    ) -> None:
        self.port = _free_port()
        self.path = contender.path
        self._key = contender.key
        variables = dict.fromkeys(_THREAD_VARIABLES, str(threads)) | _SETTINGS
        data.mkdir(parents=True)
        self._log = data / "log.txt"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                contender.command(python, folder, self.port, data),
                stdout=log,
                stderr=log,
                env=os.environ | variables,
                preexec_fn=lambda: os.sched_setaffinity(0, cores),
            )
        atexit.register(self.close)
        self._await_answer()
        self._process.send_signal(signal.SIGSTOP)

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Let it run for a while."""
        self._process.send_signal(signal.SIGCONT)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGSTOP)

    @property
    def resident(self) -> int:
        """Bytes that it has resident."""
        status = Path(f"/proc/{self._process.pid}/status").read_text("utf-8")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))

    @property
    def cpu(self) -> float:
        """Seconds that it has computed for."""
        numbers = Path(f"/proc/{self._process.pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()
        return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")

    def request(self, texts: list[str], encoding: str, *, key: str = "") -> bytes:
        """An HTTP request for vectors, whole; with a key other than its own, if need be."""
        body = json.dumps({"model": MODEL, "input": texts, "encoding_format": encoding}).encode()
        head = [
            f"POST {self.path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Content-Type: application/json",
            f"Content-Length: {len(body)}", *_authorization(key or self._key),
        ]  # fmt: skip
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _await_answer(self) -> None:
        body = self.request(["The first text."], "float").split(b"\r\n\r\n", 1)[1]
        url = f"http://127.0.0.1:{self.port}{self.path}"
        until = time.monotonic() + _START_SECONDS
        while (failure := _failure(url, body, self._key)) is not None:
            if self._process.poll() is not None or time.monotonic() > until:
                lines = self._log.read_text("utf-8", "replace").splitlines()
                raise RuntimeError(f"{failure}; {' '.join(lines[-3:])}")
            time.sleep(0.2)


def _authorization(key: str) -> list[str]:
    return [f"Authorization: Bearer {key}"] if key else []


def _failure(url: str, body: bytes, key: str) -> OSError | None:
    """Why a request got no answer."""
    headers = dict(line.split(": ", 1) for line in ["Content-Type: application/json", *_authorization(key)])
    try:
        asked = urllib.request.Request(url, body, headers)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            answer.read()
    except OSError as error:
        return error
    return None


def start_all(
    options: Any,  # noqa: ANN401 (a namespace)
    folder: Path,
    temporary: Path,
    skipped: dict[str, str],
    cores: set[int],
) -> Mapping[str, Server]:
    """The servers that start; the reasons of the others go to `skipped`."""
    servers = {}
    for name, contender in CONTENDERS.items():
        python = (
            Setting(None, options.peers_python).python_with("infinity_emb") if contender.is_peer else sys.executable
        )
        if options.contenders and name not in options.contenders:
            continue
        if python is None:
            skipped[name] = "not installed: infinity_emb"
            continue
        print(f"starting {name}", flush=True)
        try:
            servers[name] = Server(contender, python, folder, temporary / name, threads=options.threads, cores=cores)
        except (RuntimeError, OSError) as error:
            skipped[name] = str(error)
    return servers


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
