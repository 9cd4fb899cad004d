"""Documents, and parts that die, fail or keep a log, for the tests of `jina_components.scale`."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jina_components import Reader
from jina_components.protocols import Store
from jina_components.read_options import QUOTABLE, ReadOptions
from jina_components.testing import FakeEmbedder
from jina_components.types import MultiVectorEmbeddings, Page


def write_documents(folder: Path, *, count: int, word: str = "plain") -> list[str]:
    """Markdown files of a few chunks each; their paths."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number:03}.md" for number in range(count)]
    for number, path in enumerate(paths):
        parts = [f"## Part {part}\n\n{word} text {part} of {number}. " + "word " * 120 for part in range(3)]
        path.write_text(f"# Document {number}\n\n" + "\n\n".join(parts))
    return [str(path) for path in paths]


def held(store: Store, *, width: int = FakeEmbedder().dimensions) -> dict[str, tuple[str, str, list[float]]]:
    """What a store holds: by id the text, the source and the vector."""
    documents = {document.id: document for document in store.scan()}
    found = {}
    [hits] = store.search_dense(np.eye(1, width, dtype=np.float32), len(documents))
    keys = [key for key, _ in hits]
    for document, vector in zip(store.get(keys), store.get_vectors(keys), strict=True):
        found[document.id] = (document.text, document.metadata["source"], vector.tolist())
    assert found.keys() == documents.keys()
    return found


@dataclass
class DyingEmbedder:
    """A `FakeEmbedder` whose process kills itself at a text with `word`: once, or always without a `mark`."""

    word: str
    mark: Path | None = None

    def embed_query(self, text):
        return FakeEmbedder().embed_query(text)

    def embed_documents(self, texts):
        if any(self.word in text for text in texts) and not (self.mark and self.mark.exists()):
            if self.mark:
                self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return FakeEmbedder().embed_documents(texts)


@dataclass
class LoggingEmbedder:
    """A `FakeEmbedder` that writes how many texts it embeds into a file, a number a line."""

    log: Path

    def embed_query(self, text):
        return FakeEmbedder().embed_query(text)

    def embed_documents(self, texts):
        with self.log.open("a") as file:
            file.write(f"{len(texts)}\n")
        return FakeEmbedder().embed_documents(texts)

    def taken(self) -> int:
        """How many texts were embedded since this was asked last."""
        total = sum(map(int, self.log.read_text().split())) if self.log.exists() else 0
        self.log.unlink(missing_ok=True)
        return total


class WordVectors:
    """A multi-vector model: the vectors of a text are those of its words."""

    def embed_multi_vector(self, inputs, *, task="retrieval.passage"):
        return MultiVectorEmbeddings(tuple(FakeEmbedder().embed_documents(text.split()) for text in inputs))


@dataclass
class LoggingReader:
    """A `Reader` that writes each source it reads into a file."""

    log: Path

    @property
    def options(self) -> ReadOptions:
        return QUOTABLE

    async def aread(self, source: str, *, options: ReadOptions | None = None) -> Page:
        with self.log.open("a") as file:
            file.write(f"{source}\n")
        return await Reader(options=QUOTABLE).aread(source, options=options)

    def taken(self) -> list[str]:
        """What was read since this was asked last."""
        names = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return sorted(names)
