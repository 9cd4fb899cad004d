"""SQLite connections beside `os.fork`.

A connection does not survive a fork, not even to be closed, and what SQLite keeps in a process about its locks would
tell the child that it holds its parent's (sqlite.org/howtocorrupt.html, section 2.6). So none is open while a process
forks; both sides open again when they need to.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from operator import itemgetter
from typing import Protocol


class Suspendable(Protocol):
    """What holds a connection."""

    def suspend(self) -> None:
        """Close it, and keep every other thread from opening it again until `resume`."""
        ...

    def resume(self) -> None:
        """End of `suspend`."""
        ...


_serials = itertools.count()
_known: weakref.WeakKeyDictionary[Suspendable, int] = weakref.WeakKeyDictionary()
_forking = threading.Lock()
_suspended: list[Suspendable] = []


def suspend_in_forks(holder: Suspendable) -> None:
    """Suspend `holder` whenever this process forks, after those that were named before it."""
    with _forking:
        _known[holder] = next(_serials)


def _before_fork() -> None:
    _forking.acquire()
    for holder, _ in sorted(_known.items(), key=itemgetter(1)):
        holder.suspend()
        _suspended.append(holder)


def _after_fork() -> None:
    while _suspended:
        _suspended.pop().resume()
    _forking.release()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
