"""What a run of bulk indexing has done, so that the next one does the rest."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jina_components.errors import ConfigError
from jina_components.protocols import Store
from jina_components.retriever.stores.common import LOSSES_NOTE
from jina_components.scale.files import Journal, check_same, locked
from jina_components.scale.stages import SourceChunks, version_of

KIND = {"kind": "jina_components.index_sources", "version": 1}
JOURNAL = "journal.jsonl"
_NOTE = "index_sources {job}"
_BEGUN = "begun"  # what the note says, and after it which losses of the store the checkpoint knows of


class Checkpoint:
    """Which sources are complete in a store: all of their chunks are in it, and none of an earlier version.

    Args:
        journal: Its file, or None to keep nothing.
    """

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal
        self._complete: dict[str, str] = {}
        for entry in journal.entries if journal else ():
            self._complete[entry["source"]] = entry["version"]

    def has(self, source: str) -> bool:
        """Whether a source is complete; a file that has changed since is not, a URL is until the run has ended."""
        version = self._complete.get(source)
        return version is not None and version == version_of(source)

    def add(self, sources: Iterable[SourceChunks]) -> None:
        """Note that sources are complete; it is on the disk when this returns."""
        entries = [{"source": each.source, "version": each.version, "chunks": len(each.chunks)} for each in sources]
        self._complete.update((entry["source"], entry["version"]) for entry in entries)  # type: ignore[misc]
        if self._journal is not None and entries:
            self._journal.append(*entries)

    def finish(self, *, gone: Set[str] = frozenset()) -> None:
        """The run has ended: the next one reads URLs again, and files that have changed, or come back.

        Args:
            gone: Sources whose chunks are about to be deleted.
        """
        if self._journal is not None:
            self._journal.finish(
                {"source": source, "version": version}
                for source, version in self._complete.items()
                if version and source not in gone and version_of(source) == version
            )


@contextmanager
def open_checkpoint(folder: Path | None, settings: Mapping[str, Any], store: Store) -> Iterator[Checkpoint]:
    """The checkpoint of a folder, begun where there is none; None keeps nothing.

    That of a store which has since lost documents to damage is begun anew: what the store still holds of a source is
    not embedded again.

    Args:
        folder: Made when it is not there.
        settings: What shapes the chunks and vectors.
        store: Where they go; it is marked, so that a checkpoint of another store is found out.

    Raises:
        ConfigError: it was begun with other settings, or for another store.
        IndexFilesError: it is in use by another process, or damaged.
    """
    if folder is None:
        yield Checkpoint()
        return
    with locked(folder):
        header = {**KIND, **settings}
        journal = Journal(folder / JOURNAL, {**header, "job": uuid.uuid4().hex})
        try:
            begun = dict(journal.header)
            note = _NOTE.format(job=begun.pop("job", ""))
            check_same(folder, begun, header, what="a checkpoint")
            known = store.get_note(note)
            if journal.entries and known is None:
                raise ConfigError(
                    f"{folder} is the checkpoint of another store than {store!r}, or of one that was emptied: "
                    "choose another directory for this one, or delete the checkpoint to index all of it."
                )
            marked = _BEGUN + (store.get_note(LOSSES_NOTE) or "")
            if journal.entries and known != marked:
                journal.clear()  # a repair has dropped documents, of sources that nobody can name any more
            store.set_note(note, marked)
            yield Checkpoint(journal)
        finally:
            journal.close()
