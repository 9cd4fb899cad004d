"""Upkeep in the background, by stated rules."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from jina_components.errors import IndexFilesError, JinaComponentsError
from jina_components.retriever.dense import BuildStopped
from jina_components.retriever.stores.faiss.compaction import compact, extend, save_checkpoint, wants_extension
from jina_components.retriever.stores.faiss.engine import Engine
from jina_components.retriever.stores.faiss.state import State

logger = logging.getLogger(__name__)

# Slots of deleted documents cost every search a little: they go when they are this many, and this share of all.
_MIN_DELETED = 1_000
_DELETED_SHARE = 0.2
# What changed since the checkpoint is indexed again when an index is opened after a kill (100,000 passages: seconds).
_MIN_UNSAVED = 10_000
_UNSAVED_SHARE = 0.25
_MIN_UNSAVED_AT_CLOSE = 1_000

Work = Callable[[Engine, threading.Event], None]


def wants_compaction(state: State) -> bool:
    """Whether many slots are of deleted documents."""
    deleted = state.num_slots - state.num_held
    return deleted >= _MIN_DELETED and deleted >= _DELETED_SHARE * state.num_slots


def wants_checkpoint(state: State) -> bool:
    """Whether opening would take long for what came after the checkpoint."""
    return state.unsaved >= max(_MIN_UNSAVED, _UNSAVED_SHARE * state.num_slots)


def _compact(engine: Engine, stop: threading.Event) -> None:
    compact(engine, stop)
    engine.tidy()


def _save(engine: Engine, _stop: threading.Event) -> None:
    save_checkpoint(engine)


class Maintenance:
    """The upkeep of one store, in a thread that starts when there is something to do and ends when there is not."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._starting = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: JinaComponentsError | None = None
        self._noticed: State | None = None
        self._pid = os.getpid()

    def notice(self, state: State) -> None:
        """Start the thread if this state, that was not noticed before, gives it something to do."""
        if state is self._noticed:
            return
        self._noticed = state
        self._be_own()
        if self._error is None and self._due(state) is not None:
            with self._starting:
                if self._thread is not None and self._thread.is_alive():
                    self._noticed = None  # it may have looked for the last time: the next call looks again
                else:
                    self._stop = threading.Event()
                    self._thread = threading.Thread(
                        target=self._run, args=(self._stop,), name="jina-components-index", daemon=True
                    )
                    self._thread.start()

    def stop(self, seconds: float | None = None) -> None:
        """Call the work off and wait for its end, which is soon, but for a checkpoint that is being written.

        Args:
            seconds: How long to wait; None for as long as it takes.
        """
        self._be_own()
        with self._starting:
            self._stop.set()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    def run_now(self) -> None:
        """Do in this thread what there is to do, and more: remove every deleted document off the disk.

        Raises:
            IndexFilesError: the disk failed or is full, another process is at it, or the background work has failed.
        """
        self.stop()
        self.raise_error()
        never = threading.Event()
        with self._engine.working():
            state = self._engine.fresh()
            if state.num_held < state.num_slots:
                compact(self._engine, never)
            if wants_extension(self._engine.fresh()):
                extend(self._engine, never)
            if self._engine.fresh().unsaved:
                save_checkpoint(self._engine)
            if not self._engine.tidy():
                raise IndexFilesError(
                    "Deleted documents are still in the log, because another process is reading: compact() again."
                )

    def finish(self) -> None:
        """Stop, and leave a checkpoint where opening would take a while without."""
        self.stop()
        if self._engine.has_changed and self._engine.fresh().unsaved >= _MIN_UNSAVED_AT_CLOSE:
            with self._engine.working(wait=False) as free:
                if free:
                    save_checkpoint(self._engine)

    def raise_error(self) -> None:
        """Raise, once, what the background work failed of.

        Raises:
            JinaComponentsError: it did.
        """
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _be_own(self) -> None:
        """In a forked child, let go of the parent's thread and of the locks that others may have held."""
        if self._pid != os.getpid():
            self._pid, self._starting, self._thread = os.getpid(), threading.Lock(), None
            self._stop = threading.Event()

    def _due(self, state: State) -> Work | None:
        # What changes files waits until this process has changed the index: who only reads leaves them as they are.
        if self._engine.has_changed and wants_compaction(state):
            return _compact
        if wants_extension(state):
            return extend
        if self._engine.layout is not None and self._engine.has_changed and wants_checkpoint(state):
            return _save
        return None

    def _run(self, stop: threading.Event) -> None:
        try:
            while not stop.is_set() and (work := self._due(self._engine.fresh())) is not None:
                if work is extend:  # in memory alone
                    extend(self._engine, stop)
                    continue
                with self._engine.working(wait=False) as free:
                    if not free:
                        return
                    work(self._engine, stop)
        except BuildStopped:
            return
        except JinaComponentsError as error:
            logger.warning("The index could not be compacted: %s", error)
            self._error = error
        except Exception as error:  # the thread has nobody to raise to
            logger.exception("The index could not be compacted")
            self._error = IndexFilesError(f"The index could not be compacted: {error!r}.")
            self._error.__cause__ = error
