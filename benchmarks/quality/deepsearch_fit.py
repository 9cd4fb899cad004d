"""Fits the weights of `deep_search.extractive.trails` on every second question of HotpotQA-100 and MuSiQue-100.

    python -m benchmarks.quality.deepsearch_fit --data DATA [--even]

Prints a bias and the weights of two logistic regressions: whether a passage that the question found is a supporting
one, and whether one that a follow-up query found from a supporting passage is. `--even` fits on the other half: what
it changes tells how far the weights depend on the questions.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.quality.deepsearch_sets import SETS, MultiHopQuestion, load_passages, load_questions
from jina_components import Embedder, Retriever
from jina_components.deep_search.extractive.passages import Passages, follow_up
from jina_components.deep_search.extractive.trails import Trail, link_features, question_features, ranks_of
from jina_components.types import Document

# Hits of the question and of a follow-up query to learn from, and supporting passages to follow.
_FOUND, _LINKED, _FOLLOWED = 20, 10, 3

Example = tuple[dict[str, float], bool]


def examples(question: MultiHopQuestion, retriever: Retriever) -> tuple[list[Example], list[Example]]:
    """Of passages that the question found, and of those found from them."""
    passages, texts = Passages(question.text), dict[str, str]()

    def search(query: str, limit: int) -> dict[str, float]:
        documents = [hit.document for hit in retriever.retrieve(query, top_k=limit)]
        passages.add(documents)
        texts.update((document.id, document.text) for document in documents)
        return ranks_of([document.id for document in documents], limit)

    found = search(question.text, _FOUND)
    first = [(question_features(passages, one, rank), one in question.supporting) for one, rank in found.items()]
    linked: list[Example] = []
    for start in [one for one in found if one in question.supporting][:_FOLLOWED]:
        trail = Trail((start,), follow_up(question.text, [texts[start]]))
        for one, rank in search(trail.query, _LINKED).items() if trail.query else ():
            if one != start:
                features = link_features(passages, one, trail, rank, found.get(one, 0.0))
                linked.append((features, one in question.supporting))
    return first, linked


def fit(rows: Sequence[Example]) -> tuple[float, dict[str, float]]:
    """The bias and the weights by feature."""
    names = list(rows[0][0])
    table = np.array([[features[name] for name in names] for features, _ in rows])
    spread = table.std(axis=0) + 1e-9
    model = LogisticRegression(C=0.5, max_iter=2000).fit(table / spread, [supports for _, supports in rows])
    return float(model.intercept_[0]), dict(zip(names, (model.coef_[0] / spread).tolist(), strict=True))


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with deepsearch/")
    parser.add_argument("--even", action="store_true", help="the other half")
    options = parser.parse_args(arguments)
    embedder, first, linked = Embedder(truncate=True), list[Example](), list[Example]()
    for name, folder in SETS.items():
        documents: list[Document] = load_passages(options.data, folder)
        with Retriever(embedder) as retriever:
            retriever.add(documents, show_progress=True)
            for question in load_questions(options.data, name)[0 if options.even else 1 :: 2]:
                found, followed = examples(question, retriever)
                first += found
                linked += followed
    for title, rows in (("by question", first), ("by link", linked)):
        bias, weights = fit(rows)
        print(f"{title}: {bias:.1f}", {name: round(weight, 1) for name, weight in weights.items()})


if __name__ == "__main__":
    main()
