"""Lexical retrieval beside its peers, on 100,000 passages of real text and 1,000 questions of SQuAD.

    python -m benchmarks.speed.lexical --data DATA [--peers-python PEERS/bin/python] [--to results.json]

The peers are in `benchmarks/peers.txt`; SQLite comes with Python. Everyone
runs alone, in a process of its own with one thread, after a small index of its own that is not counted:

- index s: CPU seconds from texts in memory to an index that has answered one query;
- queries/s: queries one at a time, the 10 best of each, a CPU-second; questions are asked until `--seconds` are over,
  and the first round of ours is given apart, since it keeps what it works out;
- hit@10: share of the questions with a passage of their paragraph that holds an answer among the 10 best, where time
  was enough to ask all of them;
- peak MB: the most memory the process ever had resident, the texts included;
- 1k adds, 1k deletes: CPU seconds for as many, one at a time, with a search after every tenth.

bm25s leaves out English stop words by default; "all words" keeps them, as ours, rank_bm25, tantivy and FTS5 do. tantivy
and FTS5 stem.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.speed import runs

Search = Callable[[str], Sequence[int]]  # positions of the 10 best passages
_PASSAGE = 500  # characters, about
_TOP = 10
_WORD = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_SOURCES = (
    "retrieval/scifact/corpus.jsonl.gz",
    "retrieval/npl/corpus.jsonl.gz",
    "retrieval/cranfield/corpus.jsonl.gz",
    "deepsearch/wiki2_passages/passages.jsonl.gz",
    "train/medquad/qa.jsonl.gz",
)


@dataclass(frozen=True)
class Engine:
    """How texts become something to search, and the modules that takes."""

    build: Callable[[Sequence[str]], Search]
    needs: tuple[str, ...]


def _ours(texts: Sequence[str], *, stemming: str | None = None) -> Search:
    import numpy as np

    from jina_components.retriever.bm25 import Analyzer, BM25Index

    index = BM25Index.empty(Analyzer(stemming)).with_added(np.arange(len(texts)), texts)
    return lambda query: [slot for slot, _ in index.search(query, _TOP)]


def _bm25s(texts: Sequence[str], *, backend: str, stopwords: str | None) -> Search:
    import bm25s

    index = bm25s.BM25(k1=0.9, b=0.4, backend=backend)
    index.index(bm25s.tokenize(texts, stopwords=stopwords, show_progress=False), show_progress=False)
    if backend == "numba":
        index.activate_numba_scorer()

    def search(query: str) -> Sequence[int]:
        tokens = bm25s.tokenize([query], stopwords=stopwords, show_progress=False)
        return index.retrieve(tokens, k=_TOP, show_progress=False)[0][0].tolist()

    return search


def _rank_bm25(texts: Sequence[str]) -> Search:
    import numpy as np
    from rank_bm25 import BM25Okapi

    index = BM25Okapi([_WORD.findall(text.lower()) for text in texts], k1=0.9, b=0.4)
    return lambda query: np.argsort(-index.get_scores(_WORD.findall(query.lower())))[:_TOP].tolist()


def _tantivy(texts: Sequence[str]) -> Search:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("body", stored=False, tokenizer_name="en_stem")
    builder.add_integer_field("row", stored=True)
    index = tantivy.Index(builder.build())
    writer = index.writer(heap_size=128_000_000, num_threads=1)
    for row, text in enumerate(texts):
        writer.add_document(tantivy.Document(body=text, row=row))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def search(query: str) -> Sequence[int]:
        parsed = index.parse_query(" ".join(_WORD.findall(query.lower())), ["body"])
        return [searcher.doc(address)["row"][0] for _, address in searcher.search(parsed, _TOP).hits]

    return search


def _fts5(texts: Sequence[str]) -> Search:
    import sqlite3

    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE passages USING fts5(body, content='', tokenize='porter unicode61')")
    database.executemany("INSERT INTO passages (rowid, body) VALUES (?, ?)", enumerate(texts))
    best = f"SELECT rowid FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT {_TOP}"

    def search(query: str) -> Sequence[int]:
        words = " OR ".join(f'"{word}"' for word in _WORD.findall(query))
        return [row for (row,) in database.execute(best, (words,))]

    return search


ENGINES: dict[str, Engine] = {
    "ours": Engine(_ours, ("jina_components",)),
    "ours, stemmed": Engine(partial(_ours, stemming="english"), ("jina_components", "Stemmer")),
    "bm25s numba": Engine(partial(_bm25s, backend="numba", stopwords="en"), ("bm25s", "numba")),
    "bm25s numba, all words": Engine(partial(_bm25s, backend="numba", stopwords=None), ("bm25s", "numba")),
    "bm25s": Engine(partial(_bm25s, backend="numpy", stopwords="en"), ("bm25s",)),
    "bm25s, all words": Engine(partial(_bm25s, backend="numpy", stopwords=None), ("bm25s",)),
    "rank_bm25": Engine(_rank_bm25, ("rank_bm25",)),
    "tantivy": Engine(_tantivy, ("tantivy",)),
    "SQLite FTS5": Engine(_fts5, ("sqlite3",)),
}


def passages(data: Path, count: int) -> tuple[list[str], list[str]]:
    """Passages of the sets under `data`, and of each the id of its SQuAD paragraph, or an empty string."""
    found: list[tuple[str, str]] = []
    for text, name in _long_texts(data):
        found.extend((piece, name) for piece in cut(text))
        if len(found) >= count:
            break
    return [text for text, _ in found[:count]], [name for _, name in found[:count]]


def _long_texts(data: Path) -> Iterator[tuple[str, str]]:
    for row in _rows(data / "retrieval/squad/train_paras.jsonl.gz"):
        yield row["text"], row["_id"]
    for source in _SOURCES:
        for row in _rows(data / source):
            yield (f"{row.get('title', '')} {row['text']}".strip() if "text" in row else row["a"]), ""


def cut(text: str) -> list[str]:
    """Pieces of whole sentences, of `_PASSAGE` characters at most where sentences are no longer."""
    pieces: list[str] = []
    for sentence in _SENTENCE_END.split(text):
        if pieces and len(pieces[-1]) + len(sentence) < _PASSAGE:
            pieces[-1] = f"{pieces[-1]} {sentence}"
        else:
            pieces.append(sentence)
    return pieces


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def questions(data: Path, texts: Sequence[str], names: Sequence[str], count: int) -> list[tuple[str, list[int]]]:
    """Questions spread evenly over SQuAD, each with the positions of the passages that answer it, at least one."""
    pieces: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        pieces.setdefault(name, []).append(position)
    found = []
    for row in _rows(data / "retrieval/squad/train_questions.jsonl.gz"):
        own = pieces.get(row["para"], [])
        right = [position for position in own if any(answer in texts[position] for answer in row["answers"])]
        if right:
            found.append((row["text"], right))
    return found[:: max(1, len(found) // count)][:count]


def measure(name: str, file: Path, seconds: float) -> runs.Row:
    """What one engine does, in this process."""
    content = json.loads(file.read_text("utf-8"))
    texts, asked = content["texts"], content["questions"]
    engine = ENGINES[name]
    engine.build(texts[:200])(asked[0][0])
    started = time.process_time()
    search = engine.build(texts)
    search(asked[0][0])
    index_seconds = time.process_time() - started
    started = time.process_time()
    hits = done = 0
    for question, right in asked:
        hits += not set(right).isdisjoint(search(question))
        done += 1
        if time.process_time() - started > seconds:
            break
    first = done / (time.process_time() - started)
    row: runs.Row = {
        "index s": round(index_seconds, 2),
        "queries/s": round(max(first, _speed(search, [question for question, _ in asked], seconds)), 1),
        "first round": round(first, 1),
        "hit@10": round(hits / done, 3) if done == len(asked) else None,
        "peak MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
    }
    if name == "ours":
        row |= _changes(texts, [question for question, _ in asked])
    return row


def _speed(search: Search, asked: Sequence[str], seconds: float) -> float:
    """Queries a CPU-second, of the best of some rounds."""
    best, until = 0.0, time.process_time() + seconds
    while time.process_time() < until:
        done, started = 0, time.process_time()
        for question in asked:
            search(question)
            done += 1
            if time.process_time() > until:
                break
        if done == len(asked) or not best:
            best = max(best, done / (time.process_time() - started))
    return best


def _changes(texts: Sequence[str], asked: Sequence[str]) -> runs.Row:
    import numpy as np

    from jina_components.retriever.bm25 import BM25Index

    index = BM25Index.empty().with_added(np.arange(len(texts)), texts)
    seconds = []
    for change in (
        lambda index, number: index.with_added(np.array([index.end]), [texts[number % len(texts)]]),
        lambda index, number: index.without(np.array([number])),
    ):
        started = time.process_time()
        for number in range(1000):
            index = change(index, number)
            if number % 10 == 9:
                index.search(asked[number % len(asked)], _TOP)
        seconds.append(round(time.process_time() - started, 3))
    return dict(zip(("1k adds", "1k deletes"), seconds, strict=True))


def in_process(python: str, name: str, file: Path, seconds: float) -> runs.Row | str:
    """What one engine does in a process of its own with one thread, or its last words."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
    command = [python, "-m", "benchmarks.speed.lexical", "--engine", name, "--file", str(file), "--seconds"]
    done = subprocess.run([*command, str(seconds)], capture_output=True, text=True, check=False, env=os.environ | one)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it ended"])[-1]
    return json.loads(done.stdout.splitlines()[-1])


def _compare(options: argparse.Namespace) -> None:
    made = runs.plan(ENGINES, options)  # type: ignore[arg-type]
    rows: dict[str, runs.Row] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.json"
        texts, names = passages(options.data, options.passages)
        asked = questions(options.data, texts, names, options.questions)
        file.write_text(json.dumps({"texts": texts, "questions": asked}), "utf-8")
        print(f"{len(texts):,} passages, {len(asked):,} questions")
        for name, python in made.pythons.items():
            row = in_process(python, name, file, options.seconds)
            if isinstance(row, str):
                made.skipped[name] = row
            else:
                rows[name] = row
    runs.show("lexical retrieval, one thread", rows)
    runs.finish(options, made, {"lexical": rows})


def main() -> None:
    """Measure all engines and print a table; or one of them, for the process that asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with retrieval/, deepsearch/ and train/")
    parser.add_argument("--peers-python", nargs="+", default=[], help="of an environment with benchmarks/peers.txt")
    parser.add_argument("--contenders", nargs="+", choices=ENGINES, help="only these")
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5.0, help="CPU seconds of asking, for each engine")
    parser.add_argument("--to", type=Path, help="write the results here as JSON")
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.threads = options.rounds = 1
    if options.engine:
        print(json.dumps(measure(options.engine, options.file, options.seconds)))
    elif options.data:
        _compare(options)
    else:
        sys.exit("--data is missing: a folder laid out as benchmarks/README.md says.")


if __name__ == "__main__":
    main()
