"""The same work on many items in several processes of this machine; one that dies is replaced."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from jina_components.errors import BackendError, ConfigError, JinaComponentsError

Item = TypeVar("Item")
Result = TypeVar("Result")

ATTEMPTS = 3
"""How many workers may die at an item."""
# Deaths one after the other, with nothing done between: then it is not the items, but the machine or the model.
_MOST_DEATHS = 10
_GRACE = 10.0  # seconds that a worker has to close what it opened


@dataclass(frozen=True, slots=True)
class Lost:
    """An item at which worker after worker died.

    Attributes:
        reason: How the last one ended.
    """

    reason: str


def run_in_processes(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int
) -> Generator[tuple[Item, Result | Lost]]:
    """Each item with what `work` made of it, in the order in which they are done.

    Memory holds two items or results a worker. A worker that dies (killed, out of memory, crashed) is replaced, and its
    item repeated, by up to `ATTEMPTS` workers. Closing the iterator ends the workers. They are started afresh
    (`spawn`): a script that calls this needs its `if __name__ == "__main__":`.

    Args:
        work: Travels to each worker once, by pickle; what it loads there stays.
        items: Asked for more as workers become free, from threads, one at a time.
        workers: How many processes; each computes in its share of the cores, unless OMP_NUM_THREADS is set.

    Raises:
        ConfigError: `workers` is not positive.
        BackendError: workers die whatever they do.
        Exception: what `work` or `items` raised.
    """
    if workers < 1:
        raise ConfigError(f"workers must be positive, got {workers}.")
    crew = _Crew(work, items, workers)
    try:
        yield from crew.results()
    finally:
        crew.end()


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


class _Crew(Generic[Item, Result]):
    """A thread for each worker, which hands it items and takes its results."""

    def __init__(self, work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> None:
        self._work = work
        self._items = iter(items)
        self._done: queue.Queue[tuple[Item, Result | Lost] | Exception | None] = queue.Queue(maxsize=workers)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._deaths = 0
        self._members = [_Worker(work, max(1, (os.cpu_count() or 1) // workers)) for _ in range(workers)]
        self._threads = [threading.Thread(target=self._serve, args=[member], daemon=True) for member in self._members]

    def results(self) -> Iterator[tuple[Item, Result | Lost]]:
        for thread in self._threads:
            thread.start()
        running = len(self._threads)
        while running:
            done = self._done.get()
            if isinstance(done, Exception):
                raise done
            if done is None:
                running -= 1
            else:
                yield done

    def end(self) -> None:
        self._ended.set()
        for member, thread in zip(self._members, self._threads, strict=True):
            if thread.is_alive():
                member.kill()
        for thread in self._threads:
            while thread.is_alive():
                with suppress(queue.Empty):  # it may wait for room
                    self._done.get_nowait()
                thread.join(0.01)
        for member in self._members:
            member.bury()

    def _serve(self, member: _Worker) -> None:
        _block_interrupts()
        try:
            while not self._ended.is_set():
                with self._lock:
                    item = next(self._items, self)
                if item is self:
                    break
                self._done.put((item, self._ask(member, item)))  # type: ignore[arg-type]  # not the mark of the end
            self._done.put(None)
        except Exception as error:  # noqa: BLE001 (raised where the results are taken)
            self._done.put(error)

    def _ask(self, member: _Worker, item: Any) -> Result | Lost:  # noqa: ANN401 (an item)
        reason = ""
        for _ in range(ATTEMPTS):
            try:
                answer = member.ask(item)
            except (EOFError, OSError):
                reason = member.bury()
                self._count_death(reason)
                continue
            self._deaths = 0
            if isinstance(answer, _Raised):
                raise answer.error
            return answer
        return Lost(reason)

    def _count_death(self, reason: str) -> None:
        self._deaths += 1
        if self._ended.is_set() or self._deaths >= _MOST_DEATHS:
            raise BackendError(
                f"{self._deaths} worker processes have died one after the other, the last by {reason}: see whether "
                "the machine has the memory for so many, and whether one item can be done without workers."
            )


class _Worker:
    """A process, started when it is first asked, and again when it is gone."""

    def __init__(self, work: Callable[[Any], Any], threads: int) -> None:
        self._work = work
        self._threads = threads
        self._process: multiprocessing.process.BaseProcess | None = None
        self._lock = threading.Lock()
        self._ended = False

    def ask(self, item: Any) -> Any:  # noqa: ANN401 (an item, a result)
        """What it makes of an item; EOFError or OSError when it died."""
        if self._process is None:
            self._start()
        self._connection.send(item)
        return self._connection.recv()

    def bury(self) -> str:
        """Let a process end that has nothing to do, or is dead already; how it did."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return "no start"
        self._connection.close()
        process.join(_GRACE)
        process.kill()  # one that closed its end and hangs
        process.join()
        code = process.exitcode or 0
        process.close()
        known = {-each.value: each.name for each in signal.Signals}
        return f"signal {known.get(code, -code)}" if code < 0 else f"exit status {code}"

    def kill(self) -> None:
        """End it in the midst of its work, and start it no more."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                self._process.kill()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        process = context.Process(target=_work_on, args=[theirs, self._threads], daemon=True)
        with self._lock:
            if self._ended:
                raise EOFError
            process.start()
            self._process = process
        theirs.close()
        self._connection.send(self._work)


def _block_interrupts() -> None:
    """Ctrl-C, which a terminal sends to all processes, is for who started them: those of this thread inherit this."""
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # which unblocks it
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])


def _work_on(connection: Connection, threads: int) -> None:
    """What a worker does until nobody is at the other end."""
    from tqdm import tqdm

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it is not blocked already
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    # No bar is drawn here. tqdm's lock among processes would be reported as leaked when this one is killed.
    tqdm.set_lock(threading.RLock())
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        work = _attempt(connection.recv)
        while True:
            item = connection.recv()
            connection.send(work if isinstance(work, _Raised) else _attempt(partial(work, item)))


def _attempt(call: Callable[[], Any]) -> Any:  # noqa: ANN401 (whatever it returns)
    try:
        return call()
    except JinaComponentsError as error:
        return _Raised(error)
    except Exception as error:  # noqa: BLE001 (raised on the other side, in a form that travels)
        return _Raised(BackendError(f"A worker failed: {type(error).__name__}: {error}"))
