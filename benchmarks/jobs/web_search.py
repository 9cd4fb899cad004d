"""Pages read before, found again: the local index beside words alone over the same pages."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.systems import PEER, bm25s_search
from benchmarks.results import Result, paired, raced
from benchmarks.setting import Setting
from jina_components import SearchOptions, WebSearch
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.sampling import place
from jina_components.types import Page
from jina_components.web_search import LocalIndex

OURS = "WebSearch"
_COUNT = 10
_URL = "https://example.com/"


def measure(setting: Setting, *, articles: int, questions: int, rounds: int) -> dict[str, Result]:
    """MRR@10 of the page that a question was asked about, and questions a second.

    Args:
        setting: The run's.
        articles: Of SQuAD, drawn by hash; each is a page.
        questions: About them, drawn by hash.
        rounds: Of asking all.
    """
    pages, asked = _drawn(setting.sets, articles, questions)
    words = bm25s_search([f"{page.title}\n\n{page.content}" for page in pages], _COUNT)
    options = SearchOptions(count=_COUNT)
    index = LocalIndex.from_defaults()
    with WebSearch([index]) as search:
        search.remember(pages)
        index.save()  # embeds them
        ways: dict[str, Callable[[str], list[str]]] = {
            OURS: lambda query: [hit.url for hit in search.search(query, options=options)],
            PEER: lambda query: [pages[row].url for row in words(query)],
        }
        for ask in ways.values():
            ask(asked[0][0])  # loads the model
        rates: dict[str, list[float]] = defaultdict(list)
        found: dict[str, Any] = {}
        for _ in range(rounds):
            for name, ask in ways.items():
                started = time.perf_counter()
                urls = [ask(question) for question, _ in asked]
                rates[name].append(len(asked) / (time.perf_counter() - started))
                found[name] = np.array([_reciprocal(row, url) for row, (_, url) in zip(urls, asked, strict=True)])
    return {
        "web_search.local": paired({"articles": found}, OURS, seed=setting.seed),
        "web_search.speed": raced(rates, OURS),
    }


def _reciprocal(urls: Sequence[str], right: str) -> float:
    return 1 / (urls.index(right) + 1) if right in urls else 0.0


def _drawn(data: Path, articles: int, questions: int) -> tuple[list[Page], list[tuple[str, str]]]:
    """Pages, and questions with the URL of the page that each is about."""
    folder = data / "retrieval/squad"
    paragraphs: dict[str, list[str]] = defaultdict(list)
    title_of: dict[str, str] = {}
    for row in read_jsonl(folder / "train_paras.jsonl.gz"):
        paragraphs[row["title"]].append(row["text"])
        title_of[row["_id"]] = row["title"]
    kept = set(sorted(paragraphs, key=place)[:articles])
    pages = [
        Page(_URL + title, title.replace("_", " "), "\n\n".join(texts))
        for title, texts in paragraphs.items()
        if title in kept
    ]
    rows = (row for row in read_jsonl(folder / "train_questions.jsonl.gz") if title_of[row["para"]] in kept)
    asked = sorted(rows, key=lambda row: place(row["_id"]))[:questions]
    return pages, [(row["text"], _URL + title_of[row["para"]]) for row in asked]
