"""Late chunking against plain vectors of the same chunks: how well a question finds the excerpts that answer it.

    python -m benchmarks.quality.late_chunking --data DATA [--embedders NAME …] [--lengths 200 500] \
        [--documents NAME …] [--questions N] [--to results.json] [--no-long-context]

Documents, questions and excerpts are those of Chroma's chunking evaluation (Smith & Troynikov 2024,
https://research.trychroma.com/evaluating-chunking). The Segmenter cuts each document; a question is compared with the
chunks of all documents by cosine. A model is run by torch in float32, twice over the same chunks: each alone, and with
`late_chunking=True`, a document a call. Metrics, each a mean over the questions:

- nDCG@10, recall@5: of chunks; one that shares a character with an excerpt is relevant;
- found@5, precision@5, IoU@5: of characters, as that evaluation counts them for the first five chunks. `found` is the
  share of the excerpts' characters (its recall), IoU is what chunks and excerpts share of what either has;
- difference: late less plain, with half the width of its 95% interval over the questions (normal, paired).

At the end a checkpoint in the shape of jina-embeddings-v2-small-en (8,192 tokens of context) with random weights runs
over the same documents. That shows that such a model runs and what it takes, and says nothing of quality.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from benchmarks.quality.models import labelled
from benchmarks.quality.random_checkpoint import write_jina_v2_small
from benchmarks.quality.systems import default_embedders
from jina_components import Embedder, Segmenter
from jina_components.errors import ConfigError
from jina_components.fine_tuner.rankings import rank_by_cosine
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.recipes.quality.metrics import ndcg, recall
from jina_components.fine_tuner.sampling import place
from jina_components.models.catalog import DEFAULT_EMBEDDER
from jina_components.models.embedding import LocalModel

if TYPE_CHECKING:
    from jina_components.fine_tuner.metrics import Grades, Positions
    from jina_components.types import FloatArray

FOLDER = Path("segmentation/chunking_evaluation")
METRICS = ("nDCG@10", "recall@5", "found@5", "precision@5", "IoU@5")
TOP_CHUNKS, TOP_CHARACTERS = 10, 5
# Transformers with mean pooling; the other embedders at hand are tables of tokens.
_EMBEDDERS = ("all-MiniLM-L6-v2", DEFAULT_EMBEDDER)
_NORMAL_95 = 1.96


class Question(NamedTuple):
    """A question, the document that answers it, and where in it the excerpts begin and end."""

    text: str
    document: str
    excerpts: Sequence[tuple[int, int]]


class Piece(NamedTuple):
    """A chunk of a document."""

    document: str
    start: int
    text: str

    def shared(self, question: Question) -> int:
        """Characters that are in an excerpt of the question's."""
        if self.document != question.document:
            return 0
        end = self.start + len(self.text)
        return sum(max(0, min(end, stop) - max(self.start, start)) for start, stop in question.excerpts)


@dataclass(frozen=True)
class Task:
    """What is searched for in what.

    Attributes:
        questions: At least one.
        documents: Texts by name.
    """

    questions: Sequence[Question]
    documents: Mapping[str, str]


@dataclass(frozen=True)
class Comparison:
    """One model at one length of chunks.

    Attributes:
        model: Its label.
        length: Most characters of a chunk.
        chunks: Of all documents.
        windows: Passes of late chunking.
        tokens: Plain and late.
        seconds: Plain and late.
        plain, late: By metric.
        difference: By metric: late less plain, and half the width of its 95% interval.
    """

    model: str
    length: int
    chunks: int
    windows: int
    tokens: tuple[int, int]
    seconds: tuple[float, float]
    plain: Mapping[str, float]
    late: Mapping[str, float]
    difference: Mapping[str, tuple[float, float]]


def load_task(data: Path, *, documents: Sequence[str] = (), questions: int | None = None) -> Task:
    """Read the set: some of the documents, and that many of their questions, drawn by hash; or all.

    Raises:
        ConfigError: a file is missing, or no question is left.
    """
    folder = data / FOLDER
    rows = list(read_jsonl(folder / "questions.jsonl.gz"))
    names = sorted(set(documents) or {row["corpus"] for row in rows})
    kept = sorted((row for row in rows if row["corpus"] in names), key=lambda row: place(row["question"]))[:questions]
    if not kept:
        raise ConfigError(
            f"{folder / 'questions.jsonl.gz'} has no question about {', '.join(documents) or 'anything'}."
        )
    asked = [
        Question(
            row["question"], row["corpus"], [(part["start_index"], part["end_index"]) for part in row["references"]]
        )
        for row in kept
    ]
    return Task(asked, {name: _read_text(folder / "corpora" / f"{name}.md.gz") for name in names})


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise ConfigError(f"{path} is missing: --data must be a folder laid out as benchmarks/README.md says.")
    return gzip.decompress(path.read_bytes()).decode()  # lines end as they do: excerpts are counted in characters


def cut(task: Task, length: int) -> list[Piece]:
    """The Segmenter's chunks of all documents, without those of white space."""
    segmenter = Segmenter(max_chunk_length=length)
    return [
        Piece(name, chunk.start, chunk.text)
        for name, text in task.documents.items()
        for chunk in segmenter.segment(text).chunks
        if not chunk.text.isspace()
    ]


def compare(label: str, embedder: Embedder, task: Task, length: int) -> Comparison:
    """Embed the chunks both ways and measure both."""
    pieces = cut(task, length)
    queries = np.stack([embedder.embed_query(question.text) for question in task.questions])
    plain, late = (embed(embedder, pieces, late_chunking=late_chunking) for late_chunking in (False, True))
    one, other = (judge(rank_by_cosine(queries, run.vectors, TOP_CHUNKS), task, pieces) for run in (plain, late))
    change = other - one
    half = _NORMAL_95 * change.std(0) / len(change) ** 0.5
    return Comparison(
        label, length, len(pieces), late.windows, (plain.tokens, late.tokens), (plain.seconds, late.seconds),
        _named(one.mean(0)), _named(other.mean(0)),
        {name: (float(mean), float(width)) for name, mean, width in zip(METRICS, change.mean(0), half, strict=True)},
    )  # fmt: skip


class Run(NamedTuple):
    """Unit vectors of chunks, the tokens and seconds they took, and the passes of late chunking."""

    vectors: FloatArray
    tokens: int
    seconds: float
    windows: int


def embed(embedder: Embedder, pieces: Sequence[Piece], *, late_chunking: bool) -> Run:
    """Vectors of the chunks; with `late_chunking` the documents' chunks run together, else each alone."""
    documents = [[piece.text for piece in pieces if piece.document == name] for name in _names(pieces)]
    model = embedder.load()
    started = time.perf_counter()
    found = [embedder.embed(texts, task="retrieval.passage", late_chunking=late_chunking) for texts in documents]
    seconds = time.perf_counter() - started
    windows = 0
    if late_chunking and isinstance(model, LocalModel):
        prompt = model.prompt("retrieval.passage")
        windows = sum(len(model.tokenizer.together(texts, prompt=prompt, truncate=True)) for texts in documents)
    vectors = np.concatenate([part.vectors for part in found])
    return Run(vectors, sum(part.usage.prompt_tokens for part in found), seconds, windows)


def _names(pieces: Sequence[Piece]) -> list[str]:
    """The documents in the order of their chunks, which stand together."""
    return list(dict.fromkeys(piece.document for piece in pieces))


def judge(ranking: Positions, task: Task, pieces: Sequence[Piece]) -> FloatArray:
    """The metrics of each question, in the order of `METRICS`; shape [questions, metrics]."""
    values = []
    for row, question in zip(ranking, task.questions, strict=True):
        shared = np.array([piece.shared(question) for piece in pieces])
        relevant: list[Grades] = [dict.fromkeys(np.flatnonzero(shared).tolist(), 1.0)]
        alone = row[None]
        of_chunks = (ndcg(alone, relevant, TOP_CHUNKS), recall(alone, relevant, TOP_CHARACTERS))
        first = row[row >= 0][:TOP_CHARACTERS]
        hit, taken = int(shared[first].sum()), sum(len(pieces[position].text) for position in first)
        wanted = sum(stop - start for start, stop in question.excerpts)
        values.append((*of_chunks, hit / wanted, hit / taken, hit / (taken + wanted - hit)))
    return np.array(values)


def _named(values: FloatArray) -> dict[str, float]:
    return dict(zip(METRICS, values.tolist(), strict=True))


def show(found: Comparison) -> str:
    """A table of one comparison."""
    plain, late = (
        f"{tokens:,} tokens, {seconds:.0f} s" for tokens, seconds in zip(found.tokens, found.seconds, strict=True)
    )
    lines = [
        f"\n{found.model}, {found.chunks:,} chunks of up to {found.length} characters",
        f"plain: {plain}; late: {late}, {found.windows:,} windows",
        f"{'metric':<14}{'plain':>8}{'late':>8}{'difference':>12}",
    ]
    for name in METRICS:
        mean, half = found.difference[name]
        lines.append(f"{name:<14}{found.plain[name]:>8.3f}{found.late[name]:>8.3f}{mean:>+12.3f} ± {half:.3f}")
    return "\n".join(lines)


def show_long_context(task: Task, length: int) -> str:
    """Run a long-context checkpoint of random weights over the documents; what each took."""
    with tempfile.TemporaryDirectory() as folder:
        write_jina_v2_small(Path(folder))
        embedder = Embedder(folder, backend="torch", precision="float32", truncate=True)
        lines = [
            f"\njina-embeddings-v2-small-en's shape, random weights; chunks of up to {length} characters",
            f"{'document':<24}{'chunks':>8}{'tokens':>10}{'windows':>9}{'seconds':>9}",
        ]
        for name, text in tqdm(task.documents.items(), desc="long context"):
            pieces = cut(Task((), {name: text}), length)
            run = embed(embedder, pieces, late_chunking=True)
            lines.append(f"{name:<24}{len(pieces):>8,}{run.tokens:>10,}{run.windows:>9}{run.seconds:>9.1f}")
        embedder.close()
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with segmentation/chunking_evaluation/")
    parser.add_argument("--embedders", nargs="*", help="NAME or LABEL=NAME; transformers with mean pooling")
    parser.add_argument("--lengths", type=int, nargs="+", default=[200, 500], help="most characters of a chunk")
    parser.add_argument("--documents", nargs="+", default=[], help="default: all")
    parser.add_argument("--questions", type=int, help="that many, drawn by hash; default: all")
    parser.add_argument("--long-context", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--to", type=Path, help="write the results here as JSON")
    options = parser.parse_args(arguments)
    task = load_task(options.data, documents=options.documents, questions=options.questions)
    at_hand = default_embedders(options.data)
    names = {name: at_hand[name] for name in _EMBEDDERS if name in at_hand}
    results = []
    for label, name in (names if options.embedders is None else labelled(options.embedders)).items():
        embedder = Embedder(name, backend="torch", precision="float32", truncate=True)
        for length in options.lengths:
            results.append(compare(label, embedder, task, length))
            print(show(results[-1]), flush=True)
        embedder.close()
    if options.long_context:
        print(show_long_context(task, options.lengths[-1]))
    if options.to:
        rows = [asdict(result) for result in results]
        options.to.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
