"""Contenders in processes of their own, measured in turns.

Every contender is loaded in a process that imports only what it needs, and stands still (SIGSTOP) while another
works, so that all of them meet the same machine in one run and none disturbs another. Linux only: memory is read
from /proc.

    python -m benchmarks.speed.workers SETTINGS   # a contender's process: commands on stdin, replies on stdout
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.speed.contenders import BASELINE, TABLES

# What one command may take; a peer that hangs is a skipped row.
LIMIT_SECONDS = 3600.0
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "RAYON_NUM_THREADS",
)  # fmt: skip
_FIRST = "The first text that is embedded."


class WorkerError(Exception):
    """A contender's process ended: the last line that it wrote to stderr."""


@dataclass(frozen=True)
class Setting:
    """What all contenders of a run share.

    Attributes:
        table: Name of the table in `contenders.TABLES`.
        folder: The model.
        jobs: JSON file with jobs by name.
        threads: Threads that each may compute with.
        first: The job that a fresh process does before it is ready.
    """

    table: str
    folder: Path
    jobs: Path
    threads: int
    first: Any = _FIRST


class Worker:
    """A contender's process.

    Args:
        name: The contender in the setting's table.
        python: Interpreter to run it with.
        setting: The run's.

    Attributes:
        ready: Reply to the first job: `cpu` seconds, whether `torch` was imported, memory.
        cold_seconds: Wall time from the start of the process to the first result.

    Raises:
        WorkerError: it cannot be loaded, or failed at the first job.
    """

    def __init__(self, name: str, python: str, setting: Setting) -> None:
        settings: dict[str, Any] = {
            "name": name,
            "table": setting.table,
            "folder": str(setting.folder),
            "jobs": str(setting.jobs),
        }
        settings |= {"threads": setting.threads, "first": setting.first}
        variables = dict.fromkeys(_THREAD_VARIABLES, str(setting.threads))
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        started = time.perf_counter()
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.speed.workers", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | variables | {"HF_HUB_OFFLINE": "1"},
            text=True,
        )
        atexit.register(self.close)
        self.ready = self._read(LIMIT_SECONDS)
        self.cold_seconds = time.perf_counter() - started
        self._process.send_signal(signal.SIGSTOP)

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
        """The reply to a command of `_COMMANDS`.

        Raises:
            WorkerError: the process ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.send_signal(signal.SIGCONT)
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
            return self._read(LIMIT_SECONDS)
        except BrokenPipeError as error:
            raise WorkerError(self._last_words()) from error
        finally:
            self._process.send_signal(signal.SIGSTOP)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _read(self, limit: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        timer = threading.Timer(limit, self._process.kill)
        timer.start()
        line = self._process.stdout.readline()
        timer.cancel()
        if not line:
            self._process.wait()
            raise WorkerError(self._last_words())
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = [line for line in self._errors.read().decode("utf-8", "replace").splitlines() if line.strip()]
        return f"exit {self._process.returncode}: {lines[-1].strip() if lines else 'no message'}"


class _Contender:
    """The other end: runs in the contender's process."""

    def __init__(self, settings: dict[str, Any]) -> None:
        contender = TABLES[settings["table"]][settings["name"]]
        self._run = contender.load(Path(settings["folder"]), settings["threads"])
        self._jobs_file = Path(settings["jobs"])
        self._jobs: dict[str, Any] = {}

    def first(self, job: Any) -> dict[str, Any]:  # noqa: ANN401
        self._run(job)
        return {"cpu": time.process_time(), "torch": "torch" in sys.modules}

    def time(self, job: str, to: str = "") -> dict[str, Any]:
        """Wall and CPU seconds of a job; its result goes to a `.npy` file."""
        work = self._job(job)
        cpu, started = time.process_time(), time.perf_counter()
        result = self._run(work)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        if to:
            import numpy as np

            np.save(to, np.asarray(result, np.float64))
        return {"seconds": seconds, "cpu": cpu}

    def crowd(self, job: str, threads: int, *, lock: bool) -> dict[str, Any]:
        """The texts of a job one a call from many threads; wall seconds of all, and of each call."""
        guard = threading.Lock() if lock else nullcontext()

        def call(text: str) -> float:
            started = time.perf_counter()
            with guard:
                self._run(text)
            return time.perf_counter() - started

        texts = self._job(job)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(call, texts[:threads]))  # starts the threads
            started = time.perf_counter()
            latencies = list(pool.map(call, texts))
            return {"seconds": time.perf_counter() - started, "latencies": latencies}

    def repeat(self, job: str, samples: int) -> dict[str, Any]:
        """The calls of a job one after the other; resident bytes at `samples` moments, evenly spread."""
        calls = self._job(job)
        marks = {len(calls) * (sample + 1) // samples for sample in range(samples)}
        resident = []
        started = time.perf_counter()
        for number, texts in enumerate(calls, 1):
            self._run(texts)
            if number in marks:
                resident.append(_status("VmRSS"))
        return {"resident": resident, "seconds": time.perf_counter() - started}

    def _job(self, name: str) -> Any:  # noqa: ANN401
        if name not in self._jobs:
            self._jobs = {name: json.loads(self._jobs_file.read_text("utf-8"))[name]}
        return self._jobs[name]


def _status(field: str) -> int:
    """Bytes of a field of this process's status, as VmHWM, the most it ever had resident."""
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    """Load the contender, do the first job, then what comes on stdin."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print

    def reply(content: dict[str, Any]) -> None:
        out.write(json.dumps(content | {"peak": _status("VmHWM")}) + "\n")
        out.flush()

    settings = json.loads(sys.argv[1])
    contender = _Contender(settings)
    reply(contender.first(settings["first"]))
    commands: dict[str, Callable[..., dict[str, Any]]] = {
        "time": contender.time,
        "crowd": contender.crowd,
        "repeat": contender.repeat,
    }
    for line in sys.stdin:
        command = json.loads(line)
        reply(commands[command.pop("do")](**command))
    os._exit(0)  # peers leave threads that do not end


def start_all(pythons: Mapping[str, str], setting: Setting, skipped: dict[str, str]) -> dict[str, Worker]:
    """The workers that start; the reasons of the others go to `skipped`.

    Raises:
        SystemExit: the baseline is not among them.
    """
    workers = {}
    for name, python in pythons.items():
        print(f"starting {name}", flush=True)
        try:
            workers[name] = Worker(name, python, setting)
        except WorkerError as error:
            skipped[name] = str(error)
    if BASELINE not in workers:
        sys.exit(f"The baseline does not run: {skipped.get(BASELINE)}")
    return workers


def close_all(workers: Mapping[str, Worker]) -> None:
    """End all processes."""
    for worker in workers.values():
        worker.close()


def measure(
    workers: Mapping[str, Worker], job: str, rounds: int, temporary: Path, skipped: dict[str, str]
) -> dict[str, list[dict[str, float]]]:
    """Replies of every contender for a job, by round; results are in `temporary / "{job} {name}.npy"`.

    A first round warms everyone up and is not counted. Who fails is out, and in `skipped`.

    Raises:
        WorkerError: the baseline failed.
    """
    replies: dict[str, list[dict[str, float]]] = {name: [] for name in workers}
    for turn in range(rounds + 1):
        for name in list(replies):
            try:
                reply = workers[name].ask("time", job=job, to="" if turn else str(temporary / f"{job} {name}.npy"))
            except WorkerError as error:
                if name == BASELINE:
                    raise
                skipped[f"{name}, {job}"] = str(error)
                del replies[name]
                continue
            if turn:
                replies[name].append(reply)
    return replies


if __name__ == "__main__":
    main()
