"""Many sources into a store: read, cut, embedded and put there, in a run that can be killed and goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable, Iterator, Sequence, Set
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jina_components.core.inputs import check_count
from jina_components.core.progress import progress_bar
from jina_components.errors import BackendError, ConfigError, ExtractionError
from jina_components.protocols import Store, SupportsEmbed, SupportsMultiVector, SupportsRead
from jina_components.read_options import QUOTABLE, ReadOptions
from jina_components.reader import Reader
from jina_components.reader.many import named_sources
from jina_components.retriever.encoding import Encoder
from jina_components.scale.checkpoints import Checkpoint, open_checkpoint
from jina_components.scale.describing import describe
from jina_components.scale.processes import ATTEMPTS, Lost, run_in_processes
from jina_components.scale.ray_pipeline import run_on_ray
from jina_components.scale.sources import absolute, gone_sources, is_blank, of_sources
from jina_components.scale.stages import EmbedStage, ReadStage, SourceChunks, Stages
from jina_components.segmenter import Segmenter
from jina_components.types import SourceFailure

# What has come is put into the store so long after the last, however little it is.
_COMMIT_SECONDS = 30.0
# Sources of which the store is asked together what it holds.
_LOOKED_UP = 1024


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a run of bulk indexing did.

    Attributes:
        sources: Sources that it read and put into the store.
        complete: Sources that an earlier run had completed.
        chunks: Chunks that it put there; those that were there already are not counted.
        removed: Chunks of earlier versions of the sources that it deleted.
        tokens: Tokens that it embedded, where the embedder counts them.
        seconds: Time that it took.
        failures: Sources that could not be read or embedded, and why; what the store held of them stays, but for
            what `prune` deletes.
        gone: Sources that `prune` deleted.
        empty: Files that hold nothing, which is no failure; what the store held of them stays likewise.
    """

    sources: int
    complete: int
    chunks: int
    removed: int
    tokens: int
    seconds: float
    failures: tuple[SourceFailure, ...] = ()
    gone: int = 0
    empty: tuple[str, ...] = ()


def index_sources(
    sources: Iterable[str | os.PathLike[str]],
    store: Store,
    *,
    reader: SupportsRead | None = None,
    options: ReadOptions | None = QUOTABLE,
    segmenter: Segmenter | None = None,
    embedder: SupportsEmbed | None = None,
    multi_vector: SupportsMultiVector | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    workers: int = 1,
    ray_address: str | None = None,
    gpus_per_worker: float = 0.0,
    batch_size: int = 16,
    commit_size: int = 1024,
    prune: bool = False,
    show_progress: bool = False,
) -> IndexReport:
    """Read sources, cut them into chunks, embed these and put them into a store.

    Chunks have stable ids, so that nothing is in the store twice, and what is there already is not embedded again; what
    it held of an older version of a source is deleted when the new one is in. A run that is killed at any moment and
    repeated with its checkpoint reads only what is left, and the store is then as without the kill. A source that fails
    stops nothing. Memory holds a few batches a worker, what waits to be put, and the ids of chunks of the sources that
    are read next; on Ray of all that are to be read.

    With several workers, the script that calls this needs its `if __name__ == "__main__":`. Parts travel to the workers
    as their settings, and each worker loads a model of its own.

    Args:
        sources: Files, folders and URLs. Paths are made absolute, and symbolic links in those given are resolved; on a
            cluster every node must see them.
        store: Where the chunks go, under this process alone.
        reader: By default `Reader()`.
        options: How to read; None as the reader was told.
        segmenter: By default `Segmenter()`.
        embedder: Makes the vectors, those of its `embed_documents`; the store notes it, as `Retriever` does. None for a
            store of words alone.
        multi_vector: Makes a vector a token, for a store that ranks by these.
        checkpoint: Directory that says which sources are complete. With that of a run that came to its end, files that
            have not changed since are passed over, and URLs are read again. None keeps nothing: all is read.
        workers: Processes that read and embed, or with Ray actors that embed. 1 without Ray works in this process.
        ray_address: `local`, `auto` or HOST:PORT, to work on a Ray cluster (see `run_on_ray`).
        gpus_per_worker: With Ray, GPUs of each actor.
        batch_size: Sources that are read and embedded together.
        commit_size: Chunks that are put into the store together, or fewer after 30 seconds; a kill costs no more.
        prune: Also delete what the store holds of files that were named, or were in a folder that was, and are gone or
            hold no document any more. Files in a folder that holds none at all, or cannot be listed, stay: it may be a
            disk that is not there.
        show_progress: Draw a bar on stderr.

    Raises:
        InputError: a number out of range, or a source that is neither str nor a path.
        ConfigError: GPUs without Ray, an address of Ray's client, or a checkpoint of other settings or another store.
        IndexMismatchError: the store holds vectors of another model.
        IndexFilesError: the checkpoint is in use or damaged, or the store cannot be written to.
        MissingDependencyError: Ray is asked for and not installed.
        BackendError: no cluster, or worker after worker died.
    """
    started = time.monotonic()
    for name, value in (("workers", workers), ("batch_size", batch_size), ("commit_size", commit_size)):
        check_count(value, what=name)
    if gpus_per_worker and ray_address is None:
        raise ConfigError("gpus_per_worker is for Ray: pass ray_address too, or give the embedder a device.")
    encoder = Encoder(embedder, multi_vector)
    encoder.check(store)
    with ExitStack() as opened:
        reader = opened.enter_context(Reader()) if reader is None else reader
        segmenter = Segmenter() if segmenter is None else segmenter
        stages = Stages(ReadStage(reader, segmenter, options), EmbedStage(embedder, multi_vector))
        settings = describe(stages.read) | describe(stages.embed)
        held = opened.enter_context(open_checkpoint(None if checkpoint is None else Path(checkpoint), settings, store))
        places = [absolute(source) for source in sources]
        names, failures = _expanded(places)
        waiting = [name for name in names if not held.has(name)]
        work = _Work(store, stages, workers, ray_address, gpus_per_worker)
        run = _Run(store, encoder, held, failures, commit_size)
        run.take(work.all_of(waiting, batch_size), total=len(waiting), show_progress=show_progress)
        gone = gone_sources(store, places, failures) if prune else set()
        held.finish(gone=gone)
        run.delete(gone)
    return run.report(complete=len(names) - len(waiting), seconds=time.monotonic() - started)


def _expanded(places: Sequence[str | os.PathLike[str]]) -> tuple[list[str], list[SourceFailure]]:
    """Each source once, with folders replaced by their files."""
    names: dict[str, None] = {}
    failures: list[SourceFailure] = []
    for _, found in named_sources(places):
        if isinstance(found, SourceFailure):
            failures.append(found)
        else:
            names[os.fsdecode(found)] = None
    return list(names), failures


@dataclass(frozen=True, slots=True)
class _Work:
    """Where the stages run."""

    store: Store
    stages: Stages
    workers: int
    ray_address: str | None
    gpus_per_worker: float

    def all_of(self, sources: Sequence[str], batch_size: int) -> Generator[list[SourceChunks]]:
        """What becomes of every source; those at which workers died are tried once more, each alone."""
        lost = dict.fromkeys(sources)
        for size in dict.fromkeys((batch_size, 1)):
            with closing(self._some_of(list(lost), size)) as parts:
                for part in parts:
                    for each in part:
                        del lost[each.source]
                    yield part
        for source in lost:
            reason = f"{source}: {ATTEMPTS} workers died at it, or failed in a way that nobody foresaw."
            yield [SourceChunks(source, error=BackendError(reason))]

    def _some_of(self, sources: Sequence[str], size: int) -> Generator[list[SourceChunks]]:
        if not sources:
            return
        batches = self._batches(sources, size)
        if self.ray_address is not None:
            yield from run_on_ray(
                self.stages, [each for batch in batches for each in batch], address=self.ray_address,
                workers=self.workers, gpus_per_worker=self.gpus_per_worker, batch_size=size,
            )  # fmt: skip
        elif self.workers == 1:
            yield from map(self.stages, batches)
        else:
            with closing(run_in_processes(self.stages, batches, workers=self.workers)) as outcomes:
                yield from (part for _, part in outcomes if not isinstance(part, Lost))

    def _batches(self, sources: Sequence[str], size: int) -> Iterator[list[SourceChunks]]:
        at_once = -(-_LOOKED_UP // size) * size
        for first in range(0, len(sources), at_once):
            names = sources[first : first + at_once]
            held: dict[str, set[str]] = {name: set() for name in names}
            for document in self.store.scan(filter=of_sources(names)):
                held[document.metadata["source"]].add(document.id)
            for start in range(0, len(names), size):
                yield [SourceChunks(name, held=frozenset(held.pop(name))) for name in names[start : start + size]]


class _Run:
    """Puts what comes into the store, some at a time, and counts it."""

    def __init__(
        self, store: Store, encoder: Encoder, held: Checkpoint, failures: list[SourceFailure], commit_size: int
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._commit_size = commit_size
        self._held = held
        self._waiting: list[SourceChunks] = []
        self._committed = time.monotonic()
        self.failures = failures
        self.sources = self.chunks = self.removed = self.tokens = self.gone = 0

    def take(self, parts: Generator[list[SourceChunks]], *, total: int, show_progress: bool) -> None:
        with closing(parts), progress_bar("Indexing", unit="source", total=total, show=show_progress) as bar:
            for part in parts:
                self.failures += [SourceFailure(each.source, each.error) for each in part if each.error]
                self._waiting += [each for each in part if not each.error]
                self.tokens += sum(each.tokens for each in part)
                if self._is_time():
                    self._commit()
                bar.update(len(part))
                bar.set_postfix_str(f"{self.chunks:,} chunks")
            self._commit()

    def delete(self, gone: Set[str]) -> None:
        """Delete sources, and count them."""
        if gone:
            self._store.delete(filter=of_sources(sorted(gone)))
            self.gone = len(gone)

    def report(self, *, complete: int, seconds: float) -> IndexReport:
        empty = [
            failure.source
            for failure in self.failures
            if isinstance(failure.error, ExtractionError) and is_blank(failure.source)
        ]
        failures = tuple(failure for failure in self.failures if failure.source not in empty)
        return IndexReport(
            self.sources, complete, self.chunks, self.removed, self.tokens, seconds, failures, self.gone, tuple(empty)
        )

    def _is_time(self) -> bool:
        late = time.monotonic() - self._committed > _COMMIT_SECONDS
        return late or sum(len(each.chunks) for each in self._waiting) >= self._commit_size

    def _commit(self) -> None:
        """Put what waits into the store, delete what it replaces, and only then note that it is complete."""
        chunks = {chunk.document.id: chunk for each in self._waiting for chunk in each.chunks}
        if chunks:
            vectors, token_vectors = [], []
            for chunk in chunks.values():
                vectors += [] if chunk.vector is None else [chunk.vector]
                token_vectors += [] if chunk.token_vectors is None else [chunk.token_vectors]
            self._encoder.claim(self._store)
            self._store.put(
                [chunk.document for chunk in chunks.values()],
                np.stack(vectors) if vectors else None,
                token_vectors or None,
            )
        current = chunks.keys() | {name for each in self._waiting for name in each.held}
        self.removed += self._delete_older({each.url for each in self._waiting}, current)
        self._held.add(self._waiting)
        self.sources += len(self._waiting)
        self.chunks += len(chunks)
        self._waiting = []
        self._committed = time.monotonic()

    def _delete_older(self, urls: Set[str], current: Set[str]) -> int:
        if not urls:
            return 0
        held = self._store.scan(filter=of_sources(sorted(urls)))
        older = [document.id for document in held if document.id not in current]
        return self._store.delete(older) if older else 0
