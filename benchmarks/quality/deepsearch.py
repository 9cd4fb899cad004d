"""Multi-hop questions without a language model: does the agent find the passages that answer together, and the answer?

    python -m benchmarks.quality.deepsearch --data DATA [--joint] [--questions 100] [--to results.json]

HotpotQA (100 questions of dev) and MuSiQue (100 of train), over each set's own passages; with `--joint`, over both
sets' and those of 2WikiMultihopQA, 9,003 in all. All is bundled and local: the default Embedder and Reranker, a hybrid
Retriever over passages under their titles, and a DeepSearchAgent without a chat model. `single` is one query to that
retriever.

`r@5` and `r@10` are shares of a question's supporting passages among the first of `Answer.passages`; `odd` and `even`
are r@5 of the questions by their number: the extractive reasoner's weights are fitted on the odd ones
(`benchmarks.quality.deepsearch_fit`). `answered`: share of the questions that get an answer; `holds`: share of which
the text holds the gold answer; `F1` and `F1 first`: token F1 of the text and of its first quote, as SQuAD normalizes
them (whole sentences against a few words; 0 where nothing is answered). Steps, queries, tokens (of the models that
embed and rerank; no other runs) and wall seconds are means over the questions.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.quality.deepsearch_sets import (
    DISTRACTORS,
    SETS,
    MultiHopQuestion,
    holds,
    load_passages,
    load_questions,
    recall,
    token_f1,
)
from jina_components import DeepSearchAgent, Document, Embedder, Reranker, Retriever
from jina_components.models.catalog import DEFAULT_EMBEDDER, DEFAULT_RERANKER
from jina_components.types import Answer

Row = dict[str, float]
COLUMNS = (
    "r@5", "odd", "even", "r@10", "answered", "holds", "F1", "F1 first", "steps", "queries", "tokens", "seconds"
)  # fmt: skip
_MARK = re.compile(r"\[\^\d+\]")


def found_by_query(retriever: Retriever, question: MultiHopQuestion) -> list[str]:
    """Ids of the passages that one query finds, best first."""
    return [hit.document.id for hit in retriever.retrieve(question.text)]


def found_by_agent(answer: Answer) -> list[str]:
    """Ids of an answer's passages, best first."""
    return [hit.document.id for hit in answer.passages]


def measure_single(retriever: Retriever, questions: Sequence[MultiHopQuestion]) -> Row:
    """One query a question."""
    return _recalls([found_by_query(retriever, question) for question in questions], questions)


def measure_agent(agent: DeepSearchAgent, questions: Sequence[MultiHopQuestion]) -> Row:
    """The agent on each question."""
    answers: list[Answer] = []
    started = time.perf_counter()
    for question in questions:
        answers.append(agent.run(question.text))  # noqa: PERF401 (timed)
    seconds = time.perf_counter() - started
    texts = [_without_marks(answer) for answer in answers]
    firsts = [answer.citations[0].quote if answer.citations else "" for answer in answers]
    golds = [question.answers for question in questions]
    return {
        **_recalls(list(map(found_by_agent, answers)), questions),
        "answered": _mean([answer.answered for answer in answers]),
        "holds": _mean(list(map(holds, texts, golds))),
        "F1": _mean(list(map(token_f1, texts, golds))),
        "F1 first": _mean(list(map(token_f1, firsts, golds))),
        "steps": _mean([answer.spent.steps for answer in answers]),
        "queries": _mean([_queries(answer) for answer in answers]),
        "tokens": _mean([answer.usage.total_tokens for answer in answers]),
        "seconds": seconds / len(questions),
    }


def measure(
    documents: Sequence[Document], sets: dict[str, list[MultiHopQuestion]], embedder: Embedder, reranker: Reranker
) -> dict[str, dict[str, Row]]:
    """By set and system."""
    with Retriever(embedder) as retriever:
        retriever.add(documents, show_progress=True)
        agent = DeepSearchAgent(retriever, reranker=reranker, embedder=embedder)
        return {
            name: {"single": measure_single(retriever, questions), "agent": measure_agent(agent, questions)}
            for name, questions in sets.items()
        }


def _recalls(found: Sequence[Sequence[str]], questions: Sequence[MultiHopQuestion]) -> Row:
    recalls = [recall(ids, question.supporting) for ids, question in zip(found, questions, strict=True)]
    wide = [recall(ids, question.supporting, 10) for ids, question in zip(found, questions, strict=True)]
    return {
        "r@5": _mean(recalls),
        "odd": _mean(recalls[1::2]),
        "even": _mean(recalls[::2]),
        "r@10": _mean(wide),
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def _queries(answer: Answer) -> int:
    return sum(len(step.queries) for step in answer.trace.steps if step.kind == "search") if answer.trace else 0


def _without_marks(answer: Answer) -> str:
    """The text of an answer without its footnote marks; none where it is none."""
    return _MARK.sub("", answer.text) if answer.answered else ""


def line(name: str, system: str, row: Row) -> str:
    """A line of the table."""
    values = (f"{row[column]:>9.3f}" if column in row else " " * 9 for column in COLUMNS)
    return f"{name:<18}{system:<8}" + "".join(values)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with deepsearch/")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--questions", type=int, help="the first of each set; default all")
    parser.add_argument("--joint", action="store_true", help="over all passages too")
    parser.add_argument("--embedder", default=DEFAULT_EMBEDDER)
    parser.add_argument("--reranker", default=DEFAULT_RERANKER)
    parser.add_argument("--to", type=Path, help="write the results here as JSON")
    options = parser.parse_args(arguments)
    embedder, reranker = Embedder(options.embedder, truncate=True), Reranker(options.reranker)
    sets = {name: load_questions(options.data, name)[: options.questions] for name in options.sets}
    passages = {name: load_passages(options.data, SETS[name]) for name in options.sets}
    print(f"{'set':<18}{'system':<8}" + "".join(f"{column:>9}" for column in COLUMNS))
    results: dict[str, dict[str, Row]] = {}
    pools = {name: (passages[name], {name: sets[name]}) for name in sets}
    if options.joint:
        distractors = load_passages(options.data, DISTRACTORS)
        pools["joint"] = ([one for pool in passages.values() for one in pool] + distractors, sets)
    for pool, (documents, asked) in pools.items():
        for name, rows in measure(documents, asked, embedder, reranker).items():
            label = name if pool == name else f"{name} {pool}"
            results[label] = rows
            for system, row in rows.items():
                print(line(label, system, row), flush=True)
    if options.to:
        options.to.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
