"""Processes in which PDFs are read.

What is in a file can then neither hang nor crash its reader, nor take its memory.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jina_components.errors import ConfigError, ExtractionError
from jina_components.reader.pdf.child import LENGTH, read_block
from jina_components.reader.pdf.document import Extract, Job

TIMEOUT = 120.0
MAX_MEMORY = 2_000_000_000
_LEAST_MEMORY = 200_000_000  # for the interpreter and PDFium
_MAX_ANSWER = 1_000_000_000  # bytes: what a process writes is trusted no more than the file it reads
# Empty packages stand for the Reader's, which would import all that it needs to fetch and to parse HTML.
_START = """
import gc, sys, types
gc.disable()  # for the imports, of which nothing is garbage
folder = sys.argv[1]
sys.path[:] = sys.argv[2:-1]  # all of it: `site` is left out, which would take time to find the same
for name, at in ("jina_components.reader", folder), ("jina_components.reader.pdf", folder + "/pdf"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [at]
from jina_components.reader.pdf.child import main
main()
"""


class PdfWorkers:
    """A pool of processes that read PDFs; each starts when it is needed, and reads many.

    Thread-safe. After a fork, the child has an empty pool of its own.

    Args:
        timeout: Seconds after which a file is given up and its process killed. The end of a process
            that had read others before is not put down to the file: that is read anew, in the time left.
        max_memory: Bytes of address space of a process, where the system has such a limit (not macOS, Windows).
        processes: Most at the same time; by default one for each CPU.

    Raises:
        ConfigError: a limit is too small.
    """

    def __init__(self, *, timeout: float = TIMEOUT, max_memory: int = MAX_MEMORY, processes: int | None = None) -> None:
        processes = processes if processes is not None else os.cpu_count() or 1
        if timeout <= 0 or max_memory < _LEAST_MEMORY or processes < 1:
            raise ConfigError(
                f"timeout and processes must be positive and max_memory at least {_LEAST_MEMORY:,} bytes, "
                f"got {timeout}, {processes} and {max_memory:,}."
            )
        self._timeout = timeout
        self._max_memory = max_memory
        self._processes = processes
        self._idle: list[_Worker] = []
        self._reset()
        weakref.finalize(self, _end, self._idle)  # at exit too
        _POOLS.add(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(self._processes)

    def extract(self, data: bytes, job: Job, *, label: str, source: str) -> Extract:
        """What is in the PDF `data`.

        Args:
            data: The file.
            job: What to read of it.
            label: What to call it in errors.
            source: The `source` of errors.

        Raises:
            ExtractionError: it is broken, encrypted or too large, or reading it took too long, too much memory or
                crashed.
        """
        with self._free:
            try:
                answer, picture = self._answer(data, job)
            except _FailedError as error:
                raise ExtractionError(error.explain(label, self._timeout, self._max_memory), source) from error
        if "error" in answer:
            raise ExtractionError(str(answer["error"]).replace("{label}", label), source)
        return _extract(answer, picture)

    def _answer(self, data: bytes, job: Job) -> tuple[dict[str, Any], bytes]:
        deadline = time.monotonic() + self._timeout
        worker = self._take()
        was_used = worker.has_answered
        try:
            return self._answer_of(worker, data, job, self._timeout)
        except _FailedError as error:
            if error.timed_out or not was_used:
                raise
        # What it read before, or the system while it was idle, may have brought that process down.
        return self._answer_of(_Worker(self._max_memory), data, job, max(deadline - time.monotonic(), 0.1))

    def _answer_of(self, worker: _Worker, data: bytes, job: Job, timeout: float) -> tuple[dict[str, Any], bytes]:
        try:
            answer = worker.ask(data, job, timeout)
        except BaseException:
            worker.end()
            raise
        with self._lock:
            self._idle.append(worker)
        return answer

    def close(self) -> None:
        """End the processes that are idle; the next file starts new ones."""
        with self._lock:
            _end(self._idle)

    def _take(self) -> _Worker:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.is_alive:
                    return worker
                worker.end()
        return _Worker(self._max_memory)

    def _forget(self) -> None:
        """In the child of a fork: the processes are those of the parent."""
        while self._idle:
            self._idle.pop().abandon()
        self._reset()


def _extract(answer: dict[str, Any], picture: bytes) -> Extract:
    return Extract(
        texts=[str(text) for text in answer["texts"]],
        broken=[int(number) for number in answer["broken"]],
        title=str(answer["title"]),
        links=[(str(text), str(url)) for text, url in answer["links"]],
        facts={str(name): str(value) for name, value in answer["facts"].items()},
        num_pages=int(answer["num_pages"]),
        references=str(answer["references"]),
        picture=picture,
    )


class _FailedError(Exception):
    """A process ended before it answered: killed after the time was up, or by itself, or before it began."""

    def __init__(self, how: str, *, timed_out: bool = False, began: bool = True) -> None:
        super().__init__(how)
        self.how = how
        self.timed_out = timed_out
        self.began = began

    def explain(self, label: str, timeout: float, max_memory: int) -> str:
        if not self.began:
            return (
                f"{label} is a PDF, but the process to read it did not start ({self.how}): "
                f"see what {sys.executable} -c 'import pypdfium2' says."
            )
        if self.timed_out:
            return f"{label} is a PDF that takes longer than {timeout:g} seconds to read: split it, or allow more time."
        how = f" ({self.how})" if self.how else ""
        return (
            f"{label} is a PDF that cannot be read: it crashes PDFium, or needs more than {max_memory:,} bytes "
            f"of memory{how}."
        )


class _Worker:
    """A process that reads one PDF at a time."""

    def __init__(self, max_memory: int) -> None:
        if not sys.executable:
            raise ExtractionError("PDFs are read in processes of their own, but sys.executable does not say by what.")
        path = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100 (an entry may be a zip file, or empty)
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter)
                [sys.executable, "-I", "-S", "-c", _START, str(Path(__file__).parents[1]), *path, str(max_memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise _FailedError(str(error), began=False) from error
        self._began = False
        self.has_answered = False

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, data: bytes, job: Job, timeout: float) -> tuple[dict[str, Any], bytes]:
        """The answer and the picture.

        Raises:
            _FailedError: the process ended, had to be killed, or has no memory left.
        """
        process = self._process
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        alarm = threading.Timer(timeout, give_up)
        alarm.daemon = True
        alarm.start()
        try:
            answer, picture = self._exchange(json.dumps({**asdict(job), "timeout": timeout}).encode(), data)
        except (OSError, EOFError, ValueError) as error:  # it ended, or what it wrote is no answer
            process.kill()
            raise _FailedError(_end_reason(process.wait()), timed_out=late.is_set(), began=self._began) from error
        finally:
            alarm.cancel()
            alarm.join()
        if answer.get("no_memory"):
            raise _FailedError("")  # what is left of its memory may be in pieces
        self.has_answered = True
        return answer, picture

    def _exchange(self, *request: bytes) -> tuple[dict[str, Any], bytes]:
        sending, receiving = self._process.stdin, self._process.stdout
        assert sending is not None and receiving is not None  # noqa: S101, PT018 (both are pipes)
        with contextlib.suppress(BrokenPipeError):  # it has ended: whether it began is still to be read
            for block in request:
                sending.write(LENGTH.pack(len(block)))
                sending.write(block)
            sending.flush()
        if not self._began:
            self._began = read_block(receiving, limit=0) is not None
        answer, picture = read_block(receiving, limit=_MAX_ANSWER), read_block(receiving, limit=_MAX_ANSWER)
        if answer is None or picture is None:
            raise EOFError
        found = json.loads(answer)
        if not isinstance(found, dict):
            raise ValueError(f"The answer is {type(found).__name__}, not an object.")  # noqa: TRY004 (not our value)
        return found, picture

    def end(self) -> None:
        """Kill it, and close what leads to it."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what was not sent cannot be any more
                if pipe:
                    pipe.close()
        self._process.wait()

    def abandon(self) -> None:
        """Close this side of the pipes, and leave the process to the one it belongs to."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.returncode = 0  # else its object warns that it still runs


def _end_reason(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    known = {each.value: each.name for each in signal.Signals}
    return f"signal {known.get(-code, -code)}"


def _end(workers: list[_Worker]) -> None:
    while workers:
        workers.pop().end()


_POOLS: weakref.WeakSet[PdfWorkers] = weakref.WeakSet()


def _forget_all() -> None:
    for pool in list(_POOLS):
        pool._forget()  # noqa: SLF001 (of this module)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
