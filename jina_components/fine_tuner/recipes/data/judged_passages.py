"""Claims beside passages that support, refute or leave them open, for fitting how the Grounder weighs evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jina_components.core.overlap import Overlap
from jina_components.fine_tuner.recipes.data.claim_rules import claim_of
from jina_components.fine_tuner.recipes.data.held_back import fever_pairs, is_held_back, scifact_claims
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.sampling import place
from jina_components.grounder.passages import Passage, Pool
from jina_components.grounder.sources import Source
from jina_components.types import Verdict

_PASSAGES = 8  # of a claim
_QUESTIONS, _QUESTIONS_READ = 400, 12_000  # claims made of them; and those that lend them other answers
_ABSTRACTS = 5  # that they are taken from
_COVID_SHARE = 0.5  # that is fitted on; the others are measured on


@dataclass(frozen=True, slots=True)
class JudgedPassage:
    """A passage found for a claim.

    Attributes:
        claim: Its id: passages of one claim share it.
        text: The claim.
        passage: The passage.
        verdict: What the passage says of it.
    """

    claim: str
    text: str
    passage: Passage
    verdict: Verdict


def is_fitted_on(premise: str) -> bool:
    """Of COVID-Fact, whose claims are all in the entailment model's training: whether weights are fitted on it."""
    return place(premise) < _COVID_SHARE


def _fever(data: Path) -> Iterator[JudgedPassage]:
    """Each claim with its premise, and with one of those of other claims that is the most like it."""
    held_back = fever_pairs(data)
    rows = [
        row
        for row in read_jsonl(data / "grounding/fever_pairs/fever_dev_pairs.jsonl.gz")
        if row["hypothesis"] not in held_back
    ]
    rows = sorted(rows, key=lambda row: place(f"judge {row['hypothesis']}"))[:2400]
    of_claim = defaultdict(set)
    for row in rows:
        of_claim[row["hypothesis"]].add(row["premise"])
    overlap = Overlap([row["premise"] for row in rows])
    for number, row in enumerate(rows):
        name, claim = f"fever {number}", row["hypothesis"]
        verdict: Verdict = "supported" if row["label"] == "entailment" else "refuted"
        yield JudgedPassage(name, claim, Passage(row["premise"], name), verdict)
        if number % 2:
            continue
        scores = overlap.scores(claim)
        order = sorted(range(len(rows)), key=lambda other: -scores[other])
        others = [rows[other]["premise"] for other in order[:30]]
        others = [premise for premise in dict.fromkeys(others) if premise not in of_claim[claim]]
        # The nearest may be of the same page and settle the claim too.
        for premise in others[2:3]:
            yield JudgedPassage(name, claim, Passage(premise, name), "not enough evidence")


def _covid(data: Path) -> Iterator[JudgedPassage]:
    for number, row in enumerate(read_jsonl(data / "grounding/covidfact/rte_train.jsonl.gz")):
        if is_fitted_on(row["premise"]):
            verdict: Verdict = "supported" if row["label"] == "entailment" else "refuted"
            name = f"covidfact {number}"
            yield JudgedPassage(name, row["hypothesis"], Passage(row["premise"], name), verdict)


def _scifact(data: Path) -> Iterator[JudgedPassage]:
    """Passages of the abstracts that are found for a claim."""
    held_back = scifact_claims(data)
    documents = {row["_id"]: row for row in read_jsonl(data / "retrieval/scifact/corpus.jsonl.gz")}
    ids = list(documents)
    overlap = Overlap([f"{row['title']} {row['text']}" for row in documents.values()])
    for row in read_jsonl(data / "grounding/scifact/claims_train.jsonl"):
        if row["_id"] in held_back:
            continue
        scores = overlap.scores(row["claim"])
        best = sorted(range(len(ids)), key=lambda number: -scores[number])[:_ABSTRACTS]
        found = [documents[ids[number]] for number in best]
        pool = Pool([Source(one["_id"], one["text"], one["title"]) for one in found])
        evidence = {one["doc_id"]: one for one in row["evidence"]}
        for passage in pool.best(row["claim"], _PASSAGES, None)[0]:
            verdict = _scifact_verdict(passage, evidence.get(passage.url), documents)
            yield JudgedPassage(f"scifact {row['_id']}", row["claim"], passage, verdict)


def _scifact_verdict(passage: Passage, evidence: dict[str, Any] | None, documents: dict[str, Any]) -> Verdict:
    if evidence is None:
        return "not enough evidence"
    sentences = documents[passage.url]["sentences"]
    if not any(sentences[number].strip()[:60] in passage.text for number in evidence["sentences"]):
        return "not enough evidence"
    return "supported" if evidence["label"] == "SUPPORT" else "refuted"


def _squad(data: Path) -> Iterator[JudgedPassage]:
    """Claims made of questions with the right answer, or another of the article, beside passages of the article."""
    random = np.random.default_rng(0)
    folder = data / "retrieval/squad"
    articles: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_jsonl(folder / "train_paras.jsonl.gz"):
        if not is_held_back(row["title"]):
            articles[row["title"]].append(row)
    home = {row["_id"]: row for rows in articles.values() for row in rows}
    asked = read_jsonl(folder / "train_questions.jsonl.gz")
    questions = [row for row in asked if row["para"] in home and row["answers"] and len(row["answers"][0]) > 2]
    questions = sorted(questions, key=lambda row: place(f"judge {row['_id']}"))[:_QUESTIONS_READ]
    answers: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for row in questions:
        answers[_kind(row, home)].append(row["answers"][0])
    made = 0
    for row in questions:
        answer = row["answers"][0]
        others = [one for one in answers[_kind(row, home)] if one.lower() not in answer.lower()]
        said = str(random.choice(others)) if others and random.random() < 0.5 else answer
        claim = claim_of(row["text"], said)
        if claim is not None and made < _QUESTIONS:
            made += 1
            yield from _of_article(row, claim, said, articles[home[row["para"]]["title"]])


def _of_article(
    row: dict[str, Any], claim: str, said: str, article: Sequence[dict[str, Any]]
) -> Iterator[JudgedPassage]:
    """Passages beside a claim in which `said` stands for the answer; none of which it is not plain what they say."""
    answer = row["answers"][0]
    pool = Pool([Source(one["_id"], one["text"], one["title"].replace("_", " ")) for one in article])
    for passage in pool.best(claim, _PASSAGES, None)[0]:
        is_home = passage.url == row["para"]
        verdict: Verdict = "not enough evidence"
        if is_home and answer in passage.text:
            verdict = "supported" if said == answer else "refuted"
        elif is_home or answer in passage.text or said in passage.text:
            continue
        yield JudgedPassage(f"squad {row['_id']}", claim, passage, verdict)


def _kind(row: dict[str, Any], home: dict[str, dict[str, Any]]) -> tuple[str, bool]:
    return home[row["para"]]["title"], any(map(str.isdigit, row["answers"][0]))


def collect_judged(data: Path) -> dict[str, list[JudgedPassage]]:
    """The passages by source; none of what is held back.

    Raises:
        ConfigError: a file of a source is missing.
    """
    return {name: list(read(data)) for name, read in SOURCES.items()}


SOURCES: dict[str, Callable[[Path], Iterable[JudgedPassage]]] = {
    "fever": _fever,
    "covidfact": _covid,
    "scifact": _scifact,
    "squad": _squad,
}
