"""Real pages; the environment variable JINA_COMPONENTS_DATA names the directory that holds `reader/`.

The scores are those of `benchmarks.quality.reader`; the floors are what the Reader reached when they were written, less
what other versions of libxml2 may cost.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks.quality import reader as benchmark
from benchmarks.quality.reader_text import rendered, words
from jina_components.reader import Reader

pytestmark = pytest.mark.slow

BLOCK_FLOORS = dict.fromkeys(("headings", "links", "images", "list items", "code blocks", "quotes"), 0.95) | {
    "table rows": 0.90
}


def pages(name: str) -> list[dict[str, Any]]:
    path = Path(os.environ.get("JINA_COMPONENTS_DATA", "no such directory"), "reader", name, "pages.jsonl.xz")
    if not path.exists():
        pytest.skip(f"JINA_COMPONENTS_DATA has no reader/{name}")
    return benchmark.load(path)


def read(rows: list[dict[str, Any]]) -> list[str]:
    with Reader() as reader:
        return [
            reader.read(row["html"].encode(), base_url=row["url"], content_type="text/html").content for row in rows
        ]


def test_articles_are_extracted_as_well_as_measured() -> None:
    rows = pages("article_extraction_benchmark")

    f1, precision, recall = benchmark.article_scores(rows, [words(rendered(text)) for text in read(rows)])

    assert f1 >= 0.970
    assert precision >= 0.955
    assert recall >= 0.98


def test_segments_are_kept_and_dropped_as_well_as_measured() -> None:
    rows = pages("trafilatura_eval")

    f1, _, _ = benchmark.segment_scores(rows, [words(rendered(text)) for text in read(rows)])

    assert f1 >= 0.93


def test_pages_of_readability_keep_their_text_and_structure() -> None:
    rows = pages("readability_pages")

    trees = [rendered(text) for text in read(rows)]

    assert benchmark.page_score(rows, [words(tree) for tree in trees]) >= 0.985
    scores = benchmark.block_scores(rows, trees)
    assert {kind: score for kind, score in scores.items() if min(score) < BLOCK_FLOORS[kind]} == {}
