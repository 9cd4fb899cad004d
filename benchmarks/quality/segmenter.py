"""The Segmenter's chunks beside those of other splitters: found by questions, and what the cuts break.

    python -m benchmarks.quality.segmenter --data DATA [--peers-python PEERS/bin/python] [--systems NAME …]
        [--sizes 200 400] [--questions N] [--cache build/segmenter] [--to results.json]

All splitters count tokens of cl100k_base, take no overlap, and run in processes of their own over the same texts.

Retrieval: documents, questions and excerpts of Chroma's chunking evaluation (Smith & Troynikov 2024,
https://research.trychroma.com/evaluating-chunking). all-MiniLM-L6-v2 embeds every chunk, without the white space
around it; of the five nearest to a question, characters are counted: recall is the share of the excerpts' that they
have, precision the share of theirs that are the excerpts', IoU what both share of what either has. Each is a mean over
the questions, of all and of two halves by hash: whatever is chosen on one half is shown by the other.

Markdown: texts of `segmenter_texts`, `--markdown-size` tokens a chunk, by the rules of `segmenter_cuts`. `fill` is the
mean length of the chunks but the last of each text, as a share of the limit. Fences and tables are given twice: of all,
and of those that would fit into a chunk. Speed is that of the Markdown texts, in million characters a CPU-second: on
texts not seen before, and of a second pass in the same process, where most splitters or tokenizers remember words.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks.quality import segmenter_systems
from benchmarks.quality.late_chunking import METRICS, Piece, Task, judge, load_task
from benchmarks.quality.segmenter_cuts import Spans, audit
from benchmarks.quality.segmenter_systems import ENCODING, SYSTEMS
from benchmarks.quality.segmenter_texts import markdown_texts
from benchmarks.quality.systems import default_embedders
from jina_components import Embedder
from jina_components.errors import ConfigError
from jina_components.fine_tuner.rankings import rank_by_cosine
from jina_components.fine_tuner.sampling import place
from jina_components.models.tokenizers import Tokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

MODEL = "all-MiniLM-L6-v2"
_OURS = next(iter(SYSTEMS))
_FOUND = [METRICS.index(name) for name in ("found@5", "precision@5", "IoU@5")]
_DEPTH = 10
COLUMNS = {
    "mid-sentence": ("mid-sentence", "cuts"),
    "fences": ("fences cut", "fences"),
    "fitting fences": ("fitting fences cut", "fitting fences"),
    "tables": ("tables cut", "tables"),
    "fitting tables": ("fitting tables cut", "fitting tables"),
    "orphans": ("orphans", "headings"),
}


class Run(NamedTuple):
    """Chunks of each text, and CPU-seconds of the first and the second pass."""

    spans: Sequence[Spans]
    seconds: Sequence[float]


class Vectors:
    """Unit vectors of texts, kept in a file.

    Args:
        model: Its folder.
        path: The file.
    """

    def __init__(self, model: str, path: Path) -> None:
        self._embedder = Embedder(model, truncate=True)
        self._path = path
        self._kept: dict[str, FloatArray] = {}
        if path.is_file():
            with np.load(path) as file:
                self._kept = dict(zip(file["keys"].tolist(), file["vectors"], strict=True))

    def of(self, texts: Sequence[str]) -> FloatArray:
        """Shape [texts, dimensions]."""
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._kept}
        if missing:
            found = self._embedder.embed(list(missing.values()), task="text-matching", show_progress=True).vectors
            self._kept.update(zip(missing, found, strict=True))
            self._path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(self._path, keys=np.array(list(self._kept)), vectors=np.stack(list(self._kept.values())))
        return np.stack([self._kept[key] for key in keys])


def run(name: str, python: str, tokens: int, texts: Sequence[str]) -> Run:
    """Chunks of one splitter, in a process of its own.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "texts.json"), Path(folder, "result.json")
        source.write_text(json.dumps(texts), "utf-8")
        script = segmenter_systems.__file__
        subprocess.run([python, script, name, str(tokens), str(source), str(result)], check=True)
        found = json.loads(result.read_text("utf-8"))
    return Run([[(start, end) for start, end in spans] for spans in found["spans"]], found["seconds"])


def question_values(task: Task, spans: Mapping[str, Spans], vectors: Vectors) -> tuple[int, NDArray[np.floating[Any]]]:
    """The number of chunks, and recall, precision and IoU by question; shape [questions, 3]."""
    pieces = [
        Piece(name, end - len(text[start:end].lstrip()), text[start:end].strip())
        for name, text in task.documents.items()
        for start, end in spans[name]
        if text[start:end].strip()
    ]
    queries = vectors.of([question.text for question in task.questions])
    ranking = rank_by_cosine(queries, vectors.of([piece.text for piece in pieces]), _DEPTH)
    return len(pieces), judge(ranking, task, pieces)[:, _FOUND]


def retrieval_scores(task: Task, spans: Mapping[str, Spans], vectors: Vectors) -> dict[str, Any]:
    """Recall, precision and IoU of all questions and of either half, and the number of chunks."""
    chunks, values = question_values(task, spans, vectors)
    first = np.array([place(f"half {question.text}") < 0.5 for question in task.questions])
    halves = {"all": np.ones_like(first), "first half": first, "second half": ~first}
    return {"chunks": chunks} | {name: values[rows].mean(0).tolist() for name, rows in halves.items() if rows.any()}


def cut_counts(texts: Sequence[str], found: Run, limit: int) -> list[Counter[str]]:
    """What the cuts of each text break, of how many."""
    count = Tokenizer(ENCODING).count
    return [Counter(audit(text, spans, limit, count)) for text, spans in zip(texts, found.spans, strict=True)]


def cut_scores(texts: Sequence[str], found: Run, limit: int) -> dict[str, float]:
    """Shares of what is broken, fill, and speed."""
    totals: Counter[str] = Counter()
    for counts in cut_counts(texts, found, limit):
        totals.update(counts)
    characters = sum(map(len, texts)) / 1e6
    return (
        {"fill": totals["length"] / max(totals["cuts"] * limit, 1), "longer": totals["longer"]}
        | {name: totals[part] / max(totals[whole], 1) for name, (part, whole) in COLUMNS.items()}
        | {name: characters / seconds for name, seconds in zip(("first", "again"), found.seconds, strict=True)}
    )


def _cached_texts(data: Path, cache: Path) -> dict[str, list[str]]:
    path = cache / "markdown.json"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(markdown_texts(data)), "utf-8")
    texts: dict[str, list[str]] = json.loads(path.read_text("utf-8"))
    return texts


def _show_retrieval(rows: Mapping[str, Mapping[str, Any]], size: int) -> None:
    print(f"\n{size} tokens a chunk: recall / precision / IoU in %\n")
    print("| splitter | chunks | all | first half | second half |\n|---|---:|---:|---:|---:|")
    for name, row in rows.items():
        cells = (
            " / ".join(f"{100 * value:.1f}" for value in row.get(part, ()))
            for part in ("all", "first half", "second half")
        )
        print(f"| {name} | {row['chunks']} | {' | '.join(cells)} |", flush=True)


def _show_cuts(rows: Mapping[str, Mapping[str, float]], size: int) -> None:
    print(f"\nMarkdown, {size} tokens a chunk\n")
    print(f"| splitter | Mchar / CPU-s, first (again) | fill | over the limit | {' | '.join(COLUMNS)} |")
    print(f"|---|{'---:|' * (3 + len(COLUMNS))}")
    for name, row in rows.items():
        speed = f"{row['first']:.1f} ({row['again']:.1f})"
        shares = " | ".join(f"{row[column]:.4f}" for column in COLUMNS)
        print(f"| {name} | {speed} | {row['fill']:.2f} | {row['longer']:.0f} | {shares} |", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="see benchmarks/README.md")
    parser.add_argument("--peers-python", type=Path, help="the interpreter of benchmarks/peers.txt")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--sizes", type=int, nargs="*", default=[200, 400], help="tokens a chunk, for retrieval")
    parser.add_argument("--markdown-size", type=int, default=400, help="tokens a chunk; 0 leaves Markdown out")
    parser.add_argument("--questions", type=int, help="that many, drawn by hash; default: all")
    parser.add_argument("--cache", type=Path, default=Path("build/segmenter"), help="vectors and texts are kept here")
    parser.add_argument("--to", type=Path, help="write the results here as JSON")
    options = parser.parse_args(arguments)
    pythons = {name: sys.executable if name == _OURS else options.peers_python for name in options.systems}
    for name in [name for name, python in pythons.items() if python is None]:
        print(f"{name}: skipped, it needs --peers-python")
        del pythons[name]
    results = {**_retrieval(options, pythons), **_markdown(options, pythons)}
    if options.to:
        options.to.write_text(json.dumps(results, indent=1), "utf-8")


def _retrieval(options: argparse.Namespace, pythons: Mapping[str, Any]) -> dict[str, Any]:
    if not options.sizes:
        return {}
    models = default_embedders(options.data)
    if MODEL not in models:
        raise ConfigError(f"{MODEL} is missing: install the development dependencies, or pass --sizes without any.")
    task = load_task(options.data, questions=options.questions)
    vectors = Vectors(models[MODEL], options.cache / "vectors.npz")
    results = {}
    for size in options.sizes:
        rows = {}
        for name, python in pythons.items():
            found = run(name, str(python), size, list(task.documents.values()))
            rows[name] = retrieval_scores(task, dict(zip(task.documents, found.spans, strict=True)), vectors)
        _show_retrieval(rows, size)
        results[f"retrieval {size}"] = rows
    return results


def _markdown(options: argparse.Namespace, pythons: Mapping[str, Any]) -> dict[str, Any]:
    size = options.markdown_size
    if not size:
        return {}
    groups = _cached_texts(options.data, options.cache)
    for name, texts in groups.items():
        print(f"{name}: {len(texts)} texts, {sum(map(len, texts)):,} characters")
    texts = [text for group in groups.values() for text in group]
    rows = {name: cut_scores(texts, run(name, str(python), size, texts), size) for name, python in pythons.items()}
    _show_cuts(rows, size)
    return {f"markdown {size}": rows}


if __name__ == "__main__":
    main()
