"""Web pages and PDFs to Markdown, beside other readers."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import Any

import numpy as np

from benchmarks.quality import pdf as pdf_runner
from benchmarks.quality import reader
from benchmarks.quality.reader import article_f1, article_overlaps, page_f1s, segment_counts, segment_f
from benchmarks.results import Result, paired, raced
from benchmarks.setting import Setting
from jina_components.fine_tuner.sampling import place

OURS = "ours"
_NEEDS: dict[str, tuple[str, ...]] = {
    OURS: ("jina_components",),
    "trafilatura Markdown": ("trafilatura",),
    "trafilatura precision": ("trafilatura",),
    "readability-lxml + markdownify": ("readability", "markdownify"),
    "resiliparse": ("resiliparse",),
}
_MORE_NEEDS: dict[str, tuple[str, ...]] = {"trafilatura text": ("trafilatura",), "markitdown": ("markitdown",)}
# Row, set, what a page is judged by, and the number of a set.
_JUDGED: tuple[tuple[str, str, Any, Any], ...] = (
    ("reader.articles", "article_extraction_benchmark", article_overlaps, article_f1),
    ("reader.segments", "trafilatura_eval", segment_counts, segment_f),
    ("reader.pages", "readability_pages", page_f1s, np.mean),
)


def pages(setting: Setting, *, pages: int | None, rounds: int, every: bool) -> dict[str, Result]:
    """Main content and speed.

    Args:
        setting: The run's.
        pages: Of each set, drawn by hash; None for all.
        rounds: Of reading all.
        every: Whether to measure slow peers too.
    """
    systems = setting.present(_NEEDS | (_MORE_NEEDS if every else {}))
    sets = {name: _drawn(reader.load(setting.sets / "reader" / name / "pages.jsonl.xz"), pages) for name in reader.SETS}
    everything = [page for rows in sets.values() for page in rows]
    rates: dict[str, list[float]] = defaultdict(list)
    texts: dict[str, list[str]] = {}
    for _ in range(rounds):
        for name, python in systems.items():
            outcome = reader.run(name, python, everything)
            rates[name].append(len(everything) / outcome["seconds"])
            texts[name] = outcome["texts"]
    results = {"reader.speed": raced(rates, OURS)}
    for row, key, judge, number in _JUDGED:
        start = next(at for at, page in enumerate(everything) if page is sets[key][0])
        scores = {
            name: judge(sets[key], reader.plain(name, found[start : start + len(sets[key])]))
            for name, found in texts.items()
        }
        results[row] = paired({key: scores}, OURS, statistic=number, seed=setting.seed)
    return results


def _drawn(rows: list[dict[str, Any]], count: int | None) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: place(row["html"]))[:count]


def pdf(setting: Setting, *, rounds: int) -> dict[str, Result]:
    """Reading order, tables and headings, and pages a CPU-second."""
    needs = {name: (name,) for name in ("pypdfium2", *pdf_runner.PEERS)}
    systems = {OURS: sys.executable, **setting.present(needs)}
    rates: dict[str, list[float]] = defaultdict(list)
    scores: dict[str, dict[str, Any]] = defaultdict(dict)
    with pdf_runner.pairs(setting.sets) as folder:
        expected = pdf_runner.expected_of(folder)
        count = pdf_runner.pages_of(expected)
        for turn in range(rounds):
            for name, python in systems.items():
                texts, seconds = pdf_runner.by_process(name, python, list(expected))
                rates[name].append(count / seconds)
                if turn == 0:
                    for measure, by_document in pdf_runner.measured(expected, texts).items():
                        found = [value for value in by_document.values() if value is not None]
                        scores[measure][name] = np.array(found)
    judged = {
        f"pdf.{measure}": paired({measure: scores[measure]}, OURS, seed=setting.seed)
        for measure in ("order", "tables", "headings")
    }
    return {**judged, "pdf.speed": raced(rates, OURS)}
