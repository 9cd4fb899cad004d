"""Real documents; the environment variable JINA_COMPONENTS_DATA names the directory that holds `reader/`."""

from __future__ import annotations

import json
import lzma
import os
import re
import statistics
from collections import Counter
from pathlib import Path

import pytest

from jina_components.reader import Reader

pytestmark = pytest.mark.slow


def data(name: str) -> Path:
    path = Path(os.environ.get("JINA_COMPONENTS_DATA", "no such directory"), "reader", name)
    if not path.exists():
        pytest.skip(f"JINA_COMPONENTS_DATA has no reader/{name}")
    return path


def test_articles_are_extracted_as_well_as_measured() -> None:
    """4-gram F1 against human article bodies: https://github.com/scrapinghub/article-extraction-benchmark."""
    with lzma.open(data("article_extraction_benchmark/pages.jsonl.xz"), "rt", encoding="utf-8") as lines:
        pages = list(map(json.loads, lines))
    precisions, recalls = [], []
    for page in pages:
        content = Reader().read(page["html"].encode(), base_url=page["url"], content_type="text/html").content
        expected, found = four_grams(page["articleBody"]), four_grams(content)
        common = (expected & found).total()
        precisions.append(common / max(1, found.total()))
        recalls.append(common / max(1, expected.total()))
    precision, recall = statistics.mean(precisions), statistics.mean(recalls)
    assert 2 * precision * recall / (precision + recall) > 0.97


def four_grams(text: str) -> Counter[tuple[str, ...]]:
    words = re.findall(r"\w+", text)
    return Counter(tuple(words[start : start + 4]) for start in range(max(1, len(words) - 3)))
