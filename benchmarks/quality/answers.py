"""Answers of the offline agent: how often the quotes hold the answer, and how often it rightly gives none.

    python -m benchmarks.quality.answers --data DATA [--questions 400]

Held-back questions of SQuAD (see held_back.py) over all its paragraphs. Each is asked twice: with everything indexed,
and with the article it belongs to left out, so that the best of 18,896 paragraphs of other articles do not answer it.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from jina_components import DeepSearchAgent, Document, Embedder, Reranker, Retriever
from jina_components.fine_tuner.recipes.data.held_back import squad_questions
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.models.catalog import BY_NAME, DEFAULT_EMBEDDER, DEFAULT_RERANKER
from jina_components.types import Ranking


class WithoutArticle:
    """A retriever that hides one article."""

    def __init__(self, retriever: Retriever) -> None:
        self.retriever = retriever
        self.hidden = ""

    def retrieve(self, query: str, *, top_k: int = 10, filter: Mapping[str, Any] | None = None) -> Ranking:
        """The best documents of other articles."""
        hits = self.retriever.retrieve(query, top_k=200, filter=filter)
        return Ranking(tuple(hit for hit in hits if hit.document.metadata["title"] != self.hidden)[:top_k])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with retrieval/squad/")
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--embedder", default=DEFAULT_EMBEDDER)
    parser.add_argument("--reranker", default=DEFAULT_RERANKER)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--min-relevance", type=float, nargs="+", help="default: what the catalog has for the reranker")
    options = parser.parse_args()
    folder = options.data / "retrieval" / "squad"
    rows = read_jsonl(folder / "train_paras.jsonl.gz")
    documents = [Document(row["text"], row["_id"], {"title": row["title"].replace("_", " ")}) for row in rows]
    titles = {document.id: document.metadata["title"] for document in documents}
    held_back = squad_questions(options.data)
    unseen = [row for row in read_jsonl(folder / "train_questions.jsonl.gz") if row["_id"] in held_back]
    questions = random.Random(options.seed).sample(unseen, options.questions)
    retriever = Retriever(Embedder(options.embedder, truncate=True))
    retriever.add(documents, show_progress=True)
    hiding, reranker = WithoutArticle(retriever), Reranker(options.reranker)
    for threshold in options.min_relevance or [BY_NAME[options.reranker].bar]:
        agent = DeepSearchAgent(retriever, reranker=reranker, min_relevance=threshold)
        blind = DeepSearchAgent(hiding, reranker=reranker, min_relevance=threshold)
        answered = correct = first = refused = 0
        for question in tqdm(questions, desc=f"min_relevance {threshold}"):
            answer = agent.run(question["text"])
            answered += answer.answered
            quotes = [citation.quote.lower() for citation in answer.citations]
            holds = [any(text.lower() in quote for text in question["answers"]) for quote in quotes]
            correct += any(holds)
            first += holds[:1] == [True]
            hiding.hidden = titles[question["para"]]
            refused += not blind.run(question["text"]).answered
        n = len(questions)
        print(
            f"min_relevance {threshold}: {answered / n:.3f} answered, {correct / n:.3f} hold the answer "
            f"({first / n:.3f} in the first quote); {refused / n:.3f} rightly refused without the article"
        )


if __name__ == "__main__":
    main()
