"""Questions that no passage answers alone: the agent without a language model, beside one query."""

from __future__ import annotations

import time
from collections import defaultdict

import numpy as np
from tqdm.auto import tqdm

from benchmarks.quality.deepsearch import found_by_agent, found_by_query
from benchmarks.quality.deepsearch_sets import SETS, load_passages, load_questions, recall
from benchmarks.results import Result, paired, raced
from benchmarks.setting import Setting
from jina_components import DeepSearchAgent, Embedder, Reranker, Retriever

OURS, QUERY, RERANKED = "agent", "one hybrid query", "one hybrid query, reranked"
_RERANKED = 30
_ROUNDS = 5  # parts of the questions, of which each is a round


def measure(setting: Setting, *, questions: int) -> dict[str, Result]:
    """Recall@5 by question, and questions a second.

    Args:
        setting: The run's.
        questions: Of each set, its first.
    """
    embedder, reranker = Embedder(truncate=True), Reranker()
    scores: dict[str, dict[str, list[float]]] = {}
    seconds: dict[str, list[float]] = defaultdict(list)
    for name, folder in SETS.items():
        scores[name] = defaultdict(list)
        with Retriever(embedder, reranker=reranker, rerank_top=_RERANKED) as retriever:
            retriever.add(load_passages(setting.sets, folder), show_progress=True)
            plain = Retriever(embedder, store=retriever.store)
            agent = DeepSearchAgent(plain, reranker=reranker, embedder=embedder)
            asked = load_questions(setting.sets, name)[:questions]
            agent.run(asked[0].text)  # loads the models
            for question in tqdm(asked, desc=name):
                for system, ask in {
                    OURS: lambda asked: found_by_agent(agent.run(asked.text)),  # noqa: B023 (called at once)
                    QUERY: lambda asked: found_by_query(plain, asked),  # noqa: B023
                    RERANKED: lambda asked: found_by_query(retriever, asked),
                }.items():
                    started = time.perf_counter()
                    found = ask(question)
                    seconds[system].append(time.perf_counter() - started)
                    scores[name][system].append(recall(found, question.supporting))
    arrays = {name: {system: np.array(values) for system, values in row.items()} for name, row in scores.items()}
    rates = {
        system: [float(1 / np.mean(part)) for part in np.array_split(np.array(values), _ROUNDS)]
        for system, values in seconds.items()
    }
    return {
        "deep_search.passages": paired(arrays, OURS, seed=setting.seed),
        "deep_search.speed": raced(rates, OURS),
    }
