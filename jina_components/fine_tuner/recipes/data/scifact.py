"""Claims of SciFact (Wadden et al. 2020) with the sentences of abstracts that support or contradict them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl

_CLAIMS, _CORPUS = "grounding/scifact/claims_train.jsonl", "retrieval/scifact/corpus.jsonl.gz"


class JudgedClaim(NamedTuple):
    """A claim beside one abstract's sentences.

    Attributes:
        id: Of the claim, and of the query that it is in retrieval.
        text: The claim.
        premise: The sentences.
        supported: Whether they support it; else they contradict it.
    """

    id: str
    text: str
    premise: str
    supported: bool


def judged_claims(data: Path) -> Iterator[JudgedClaim]:
    """Each claim with the chosen sentences of each abstract that supports or contradicts it.

    Raises:
        ConfigError: a file of the set is missing.
    """
    sentences = {row["_id"]: row["sentences"] for row in read_jsonl(data / _CORPUS)}
    for row in read_jsonl(data / _CLAIMS):
        chosen: dict[tuple[str, str], set[int]] = {}
        for evidence in row["evidence"]:
            chosen.setdefault((evidence["doc_id"], evidence["label"]), set()).update(evidence["sentences"])
        for (document, label), numbers in chosen.items():
            premise = " ".join(sentences[document][number] for number in sorted(numbers))
            yield JudgedClaim(row["_id"], row["claim"], premise, label == "SUPPORT")


def uncited_abstracts(data: Path) -> Iterator[dict[str, Any]]:
    """Rows of the corpus that none of the claims cites.

    Raises:
        ConfigError: a file of the set is missing.
    """
    cited = {str(document) for row in read_jsonl(data / _CLAIMS) for document in row["cited_doc_ids"]}
    return (row for row in read_jsonl(data / _CORPUS) if row["_id"] not in cited)
