"""Speed and cuts of the segmenter against the splitters that are installed, on the same texts in one run.

    python -m benchmarks.speed.segmenting TEXTS [--characters 1600] [--tokens 400] [--to results.json]

TEXTS are files or folders of `.md` and `.txt`, gzipped or not. Tokens are those of the bundled tokenizer for
all; ours counts them for every chunk, whatever the unit. Speed is the best of `--rounds`, each with a fresh
splitter and tokenizer, in million characters a CPU-second. What the other columns say:

- fill: mean length of the chunks, the last of each text left out, as a share of the limit;
- mid-sentence: share of the cuts that stand neither behind a stop or colon, nor at an empty line, nor where
  a line of a list, a table, code or a heading begins or ends;
- fences, tables: share of those that would fit into a chunk and are cut nevertheless;
- orphans: share of the headings after which a chunk ends.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import re
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from jina_components import Segmenter

Spans = list[tuple[int, int]]
Split = Callable[[str], Spans]

_STOP = re.compile(r"""[.!?…:。！？｡؟।：]["'”’»)\]*_`」』）]*(?:\[\d+\])*$""")
_MARKED_LINE = re.compile(r"\s*(?:#{1,6}\s|[-*+•]\s|\d+[.)]\s|[|>]|```|~~~|---|\[[^\]]+\]: )")
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)(?!.*`).*\n(?:.*\n)*?[ \t]*\1[ \t]*$", re.MULTILINE)
_TABLE = re.compile(r"(?:^[ \t]*\|.*\n){2,}", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} .+$", re.MULTILINE)


@dataclass(frozen=True)
class Contender:
    """A splitter: `make` builds a fresh one; its limit is in characters or tokens."""

    name: str
    unit: str
    make: Callable[[], Split]


def contenders(characters: int, tokens: int) -> Iterator[Contender]:
    """Ours first, then those that are installed."""
    yield Contender("jina_components", "characters", lambda: _ours(Segmenter(max_chunk_length=characters)))
    yield Contender(
        "jina_components", "tokens", lambda: _ours(Segmenter(max_chunk_length=tokens, length_unit="tokens"))
    )
    if importlib.util.find_spec("langchain_text_splitters"):
        yield Contender("LangChain recursive", "characters", lambda: _langchain(characters, len))
        yield Contender("LangChain recursive", "tokens", lambda: _langchain(tokens, Segmenter().count))
    if importlib.util.find_spec("semchunk"):
        yield Contender("semchunk", "tokens", lambda: _semchunk(tokens, Segmenter().count))


def _ours(segmenter: Segmenter) -> Split:
    segmenter.load()
    return lambda text: [(chunk.start, chunk.end) for chunk in segmenter.segment(text).chunks]


def _langchain(limit: int, length: Callable[[str], int]) -> Split:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(
        chunk_size=limit, chunk_overlap=0, length_function=length, add_start_index=True
    )

    def split(text: str) -> Spans:
        pieces = splitter.create_documents([text])
        starts = [piece.metadata["start_index"] for piece in pieces]
        return [(start, start + len(piece.page_content)) for start, piece in zip(starts, pieces, strict=True)]

    return split


def _semchunk(limit: int, count: Callable[[str], int]) -> Split:
    import semchunk

    chunker = semchunk.chunkerify(count, limit)
    return lambda text: [(start, end) for start, end in chunker(text, offsets=True)[1]]


def measure(contender: Contender, texts: Sequence[str], limit: int, rounds: int) -> dict[str, Any]:
    """Speed and the quality of the cuts."""
    seconds = []
    for _ in range(rounds):
        split = contender.make()
        started = time.process_time()
        results = [split(text) for text in texts]
        seconds.append(time.process_time() - started)
    length = len if contender.unit == "characters" else Segmenter().count
    totals: Counter[str] = Counter()
    for text, spans in zip(texts, results, strict=True):
        totals += _audit(text, spans, limit, length)
    share = lambda part, whole: round(totals[part] / max(totals[whole], 1), 3)  # noqa: E731
    return {
        "splitter": contender.name,
        "unit": contender.unit,
        "Mchar/CPU-s": round(sum(map(len, texts)) / 1e6 / min(seconds), 2),
        "fill": round(totals["length"] / max(totals["cuts"] * limit, 1), 2),
        "mid-sentence": share("mid-sentence", "cuts"),
        "fences": share("fences cut", "fences"),
        "tables": share("tables cut", "tables"),
        "orphans": share("orphans", "headings"),
    }


def _audit(text: str, spans: Spans, limit: int, length: Callable[[str], int]) -> Counter[str]:
    found: Counter[str] = Counter(cuts=max(len(spans) - 1, 0))
    cuts = [start for start, _ in spans[1:]]
    found["length"] = sum(length(text[start:end]) for start, end in spans[:-1])
    found["mid-sentence"] = sum(not _is_clean(text, one[1], other[0]) for one, other in pairwise(spans))
    for name, pattern in (("fences", _FENCE), ("tables", _TABLE)):
        for block in pattern.finditer(text):
            if length(block.group()) <= limit:
                found[name] += 1
                found[f"{name} cut"] += _is_cut(cuts, block.start(), block.end())
    for heading in _HEADING.finditer(text):
        following = bisect_right(cuts, heading.start())
        found["headings"] += 1
        found["orphans"] += following < len(cuts) and not text[heading.end() : cuts[following]].strip()
    return found


def _is_cut(cuts: Sequence[int], start: int, end: int) -> bool:
    following = bisect_right(cuts, start)
    return following < len(cuts) and cuts[following] < end


def _is_clean(text: str, end: int, start: int) -> bool:
    """Whether no sentence goes on from one chunk to the next."""
    before, after = text[max(end - 400, 0) : max(end, start)], text[start : start + 400]
    space = before[len(before.rstrip()) :] + after[: len(after) - len(after.lstrip())]
    last_line = before.rstrip().rsplit("\n", 1)[-1]
    if space.count("\n") > 1 or _STOP.search(last_line):
        return True
    return "\n" in space and bool(_MARKED_LINE.match(after) or _MARKED_LINE.match(last_line))


def read_texts(paths: Sequence[Path]) -> list[str]:
    """Texts of files, and of the `.md` and `.txt` in folders."""
    files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    texts = []
    for file in files:
        if file.name.removesuffix(".gz").endswith((".md", ".txt")):
            with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as content:
                texts.append(content.read().decode("utf-8", "replace"))
    return [text for text in texts if text.strip()]


def main() -> None:
    """Measure and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", type=Path)
    parser.add_argument("--characters", type=int, default=1600)
    parser.add_argument("--tokens", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--to", type=Path, help="write the results here as JSON")
    options = parser.parse_args()
    texts = read_texts(options.texts)
    print(f"{len(texts)} texts, {sum(map(len, texts)) / 1e6:.1f} million characters")
    results = []
    for contender in contenders(options.characters, options.tokens):
        limit = options.characters if contender.unit == "characters" else options.tokens
        results.append(measure(contender, texts, limit, options.rounds))
        ours = next(row for row in results if row["unit"] == contender.unit)
        results[-1]["ours is faster"] = round(ours["Mchar/CPU-s"] / results[-1]["Mchar/CPU-s"], 2)
        print("  ".join(f"{key} {value}" for key, value in results[-1].items()))
    if options.to:
        options.to.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
