"""Threads that own a model each: gone before the process ends, and forgotten in a forked child."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable
from typing import Protocol

from jina_components.errors import BackendError


class Owner(Protocol):
    """What has such a thread."""

    def stop(self) -> None:
        """Drop what waits; the thread ends soon."""
        ...

    def after_fork(self) -> None:
        """In a forked child, which has neither the parent's thread nor its callers, and maybe a lock that was held."""
        ...


def start_thread(owner: Owner, target: Callable[[], None], name: str) -> threading.Thread:
    """A thread that runs `target`.

    Raises:
        BackendError: none can be started.
    """
    thread = threading.Thread(target=target, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise BackendError(f"No thread can be started for the model: {error}") from error
    _owners.add(owner)
    if not _threads:  # late, for what is registered last is called first: before the exit handlers of torch
        atexit.unregister(_end_threads)
        atexit.register(_end_threads)
    _threads.add(thread)
    return thread


_owners: weakref.WeakSet[Owner] = weakref.WeakSet()
_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


def _end_threads() -> None:
    """Wait for every thread to be gone: a process that exits while one runs, or frees, a model of torch's aborts."""
    for owner in list(_owners):
        owner.stop()
    for thread in list(_threads):
        thread.join()


def _after_fork() -> None:
    for owner in list(_owners):
        owner.after_fork()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)
