"""Reading HTML: main content, Markdown structure, what survives and speed, beside other readers.

    python -m benchmarks.quality.reader --data DATA [--peers-python PEERS/bin/python] [--systems NAME …]
        [--to results.json]

DATA holds `reader/NAME/pages.jsonl.xz` of three public sets, and every reader gets their pages in a process of its own:

- `article_extraction_benchmark` (https://github.com/scrapinghub/article-extraction-benchmark): runs of four words
  against the article's body as people marked it; precision and recall averaged over the pages, and the F1 of these
  means;
- `trafilatura_eval` (https://github.com/adbar/trafilatura, tests/evaluate.py): segments that must be in the text and
  some that must not; F over all segments;
- `readability_pages` (https://github.com/mozilla/readability, test/test-pages): F1 of runs of four words against the
  expected HTML, averaged over the pages, and the headings, links, … of each page found and expected: recall is the
  smaller number over the expected, precision the smaller over the found, summed over the pages. Links within a page
  and mathematics are left out, since readers write footnotes and formulas in ways of their own.

Markdown is compared by the words it renders to: link targets, images and marks are left out. Pages per CPU-second are
over the pages of all three sets, from bytes to text, after one page to warm up. Snippets of `reader_survival.py` say
what else gets through.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.quality import reader_systems
from benchmarks.quality.reader_survival import SNIPPETS, pages, survivors
from benchmarks.quality.reader_systems import PLAIN_TEXT, SYSTEMS
from benchmarks.quality.reader_text import BLOCKS, blocks, normal, parsed, rendered, shingles, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

SETS = ("article_extraction_benchmark", "trafilatura_eval", "readability_pages")
_URL = "http://fakehost/test/page.html"  # of the pages that say none, as in Readability's own tests


@dataclass(frozen=True, slots=True)
class Scores:
    """What a reader reached; numbers are parts of 1.

    Attributes:
        article: F1, precision and recall on articles.
        segments: F, precision and recall of segments.
        pages: F1 of the text on Readability's pages.
        blocks: Recall and precision by kind of block; only of Markdown.
        survival: Which snippets got through; only of Markdown.
        speed: Pages per CPU-second.
        failures: Pages on which it raised an error.
    """

    article: tuple[float, float, float]
    segments: tuple[float, float, float]
    pages: float
    speed: float
    failures: int
    blocks: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    survival: Mapping[str, bool] = field(default_factory=dict)


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with reader/")
    parser.add_argument("--peers-python", type=Path, help="the interpreter of benchmarks/peers.txt")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--to", type=Path, help="write the results here, as JSON")
    options = parser.parse_args()
    sets = {name: load(options.data / "reader" / name / "pages.jsonl.xz") for name in SETS}
    results = {}
    for name in options.systems:
        python = sys.executable if name == "ours" else options.peers_python
        if python is None:
            print(f"{name}: skipped, it needs --peers-python")
            continue
        results[name] = measure(name, str(python), sets)
    show(results)
    if options.to:
        options.to.write_text(json.dumps({name: asdict(scores) for name, scores in results.items()}, indent=1), "utf-8")


def load(path: Path) -> list[dict[str, Any]]:
    """The pages of a set."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        rows = [{"url": _URL, **json.loads(line)} for line in lines]
    # One page of trafilatura's has a slip of the keyboard before its scheme.
    return [row if row["url"].startswith("http") else row | {"url": _URL} for row in rows]


def measure(name: str, python: str, sets: Mapping[str, list[dict[str, Any]]]) -> Scores:
    """Run one reader over all sets."""
    everything = [page for key in SETS for page in sets[key]]
    outcome = run(name, python, everything)
    texts = iter(outcome["texts"])
    by_set = {key: [next(texts) for _ in sets[key]] for key in SETS}
    markdown = name not in PLAIN_TEXT
    trees = [rendered(text) for text in by_set["readability_pages"]] if markdown else []
    said = {key: plain(name, by_set[key]) for key in SETS}
    return Scores(
        article=article_scores(sets["article_extraction_benchmark"], said["article_extraction_benchmark"]),
        segments=segment_scores(sets["trafilatura_eval"], said["trafilatura_eval"]),
        pages=page_score(sets["readability_pages"], said["readability_pages"]),
        speed=len(everything) / outcome["seconds"],
        failures=outcome["failures"],
        blocks=block_scores(sets["readability_pages"], trees) if markdown else {},
        survival=survivors(run(name, python, pages())["texts"]) if markdown else {},
    )


def run(name: str, python: str, read: list[dict[str, Any]]) -> dict[str, Any]:
    """Texts and CPU-seconds of a reader in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "pages.jsonl"), Path(folder, "results.json")
        lines = (json.dumps({"html": page["html"], "url": page["url"]}) for page in read)
        source.write_text("\n".join(lines), "utf-8")
        # By its path: the peers' environment has none of what this package imports.
        module = ["-m", "benchmarks.quality.reader_systems"] if name == "ours" else [reader_systems.__file__]
        subprocess.run(
            [python, *module, name, str(source), str(target)], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        return json.loads(target.read_text("utf-8"))


def overlap(expected: str, found: str) -> tuple[float, float]:
    """Precision and recall of the runs of four words of a text."""
    wanted, got = shingles(expected), shingles(found)
    common = (wanted & got).total()
    return common / max(1, got.total()), common / max(1, wanted.total())


def f1(precision: float, recall: float) -> float:
    """The harmonic mean."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def article_overlaps(rows: list[dict[str, Any]], texts: list[str]) -> NDArray[np.float64]:
    """Precision and recall against the body that people marked, by page; shape [pages, 2]."""
    return np.array([overlap(row["articleBody"], text) for row, text in zip(rows, texts, strict=True)])


def article_f1(overlaps: NDArray[np.float64]) -> float:
    """The F1 of the mean precision and the mean recall."""
    return f1(*overlaps.mean(axis=0))


def article_scores(rows: list[dict[str, Any]], texts: list[str]) -> tuple[float, float, float]:
    """F1 of the means, mean precision and mean recall against the body that people marked."""
    overlaps = article_overlaps(rows, texts)
    precision, recall = overlaps.mean(axis=0).tolist()
    return article_f1(overlaps), precision, recall


def segment_counts(rows: list[dict[str, Any]], texts: list[str]) -> NDArray[np.float64]:
    """Segments that are found, that are missed, and that should not be there, by page; shape [pages, 3]."""
    counts = []
    for row, text in zip(rows, texts, strict=True):
        found = sum(normal(segment) in text for segment in row["with"])
        counts.append((found, len(row["with"]) - found, sum(normal(segment) in text for segment in row["without"])))
    return np.array(counts, np.float64)


def segment_f(counts: NDArray[np.float64]) -> float:
    """F over all segments."""
    found, missed, extra = counts.sum(axis=0).tolist()
    return f1(found / max(1, found + extra), found / max(1, found + missed))


def segment_scores(rows: list[dict[str, Any]], texts: list[str]) -> tuple[float, float, float]:
    """F, precision and recall over all segments."""
    counts = segment_counts(rows, texts)
    found, missed, extra = counts.sum(axis=0).tolist()
    return segment_f(counts), found / max(1, found + extra), found / (found + missed)


def page_f1s(rows: list[dict[str, Any]], texts: list[str]) -> NDArray[np.float64]:
    """F1 against the words of the expected HTML, by page."""
    expected = [words(parsed(row["expected_html"])) for row in rows]
    return np.array([f1(*overlap(wanted, text)) for wanted, text in zip(expected, texts, strict=True)])


def page_score(rows: list[dict[str, Any]], texts: list[str]) -> float:
    """Mean F1 against the words of the expected HTML."""
    return float(page_f1s(rows, texts).mean())


def plain(name: str, texts: list[str]) -> list[str]:
    """The words of what a reader wrote."""
    return [normal(text) if name in PLAIN_TEXT else words(rendered(text)) for text in texts]


def block_scores(rows: list[dict[str, Any]], trees: list[Any]) -> dict[str, tuple[float, float]]:
    """Recall and precision of the number of blocks of each kind."""
    expected = [blocks(parsed(row["expected_html"])) for row in rows]
    found = [blocks(tree) for tree in trees]
    scores = {}
    for kind in BLOCKS:
        pairs = [(wanted[kind], got[kind]) for wanted, got in zip(expected, found, strict=True)]
        common = sum(map(min, pairs))
        wanted, got = (sum(numbers) for numbers in zip(*pairs, strict=True))
        scores[kind] = (common / max(1, wanted), common / max(1, got))
    return scores


def show(results: Mapping[str, Scores]) -> None:
    """Print the tables, as Markdown."""
    table(
        ("reader", "article F1", "precision", "recall", "segments F", "precision", "recall", "pages F1",
         "pages / CPU-second", "errors"),
        [
            (name, *map(number, (*scores.article, *scores.segments, scores.pages)), f"{scores.speed:.0f}",
             str(scores.failures))
            for name, scores in results.items()
        ],
    )  # fmt: skip
    structured = {name: scores for name, scores in results.items() if scores.blocks}
    table(
        ("recall / precision", *BLOCKS),
        [
            (name, *("/".join(map(number, scores.blocks[kind])) for kind in BLOCKS))
            for name, scores in structured.items()
        ],
    )
    table(
        ("survives", *structured),
        [
            (snippet, *("yes" if scores.survival[snippet] else "–" for scores in structured.values()))
            for snippet in SNIPPETS
        ],
    )


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print one table."""
    print()
    for row in (head, ("---", *["---:"] * (len(head) - 1)), *rows):
        print(f"| {' | '.join(row)} |")


def number(value: float) -> str:
    """Three digits without the nought."""
    return f"{value:.3f}".removeprefix("0")


if __name__ == "__main__":
    main()
