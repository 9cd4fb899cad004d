"""Claims with their evidence and what people found of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jina_components import Document
from jina_components.fine_tuner.recipes.data.held_back import scifact_claims
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.recipes.data.judged_passages import is_fitted_on
from jina_components.fine_tuner.sampling import place
from jina_components.types import Verdict

_VERDICTS: Mapping[str, Verdict] = {
    "SUPPORTS": "supported", "SUPPORT": "supported", "supported": "supported", "entailment": "supported",
    "REFUTES": "refuted", "CONTRADICT": "refuted", "not_entailment": "refuted",
    "partially_supported": "not enough evidence", "not_supported": "not enough evidence",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class JudgedClaim:
    """A claim and what people found of it.

    Attributes:
        id: Of the set.
        text: The claim.
        verdict: What people found.
        sources: What it is to be judged by; none where evidence is retrieved from the set's corpus.
    """

    id: str
    text: str
    verdict: Verdict
    sources: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimSet:
    """Claims to measure on.

    Attributes:
        claims: The claims.
        three_way: Whether "not enough evidence" is an outcome of its own; else it is supported or not.
        corpus: What evidence is retrieved from, or nothing.
    """

    claims: Sequence[JudgedClaim]
    three_way: bool = False
    corpus: Sequence[Document] = ()

    def sample(self, claims: int | None) -> ClaimSet:
        """That many claims, drawn by hash: a larger sample holds a smaller one. None: all."""
        drawn = sorted(self.claims, key=lambda claim: place(f"{claim.id} {claim.text}"))[:claims]
        return ClaimSet(drawn, self.three_way, self.corpus)


def _scifact(data: Path) -> ClaimSet:
    """The held-back half of the training claims, over all abstracts."""
    held_back = scifact_claims(data)
    corpus = [
        Document(row["text"], row["_id"], {"title": row["title"]})
        for row in read_jsonl(data / "retrieval/scifact/corpus.jsonl.gz")
        if row["text"].strip()
    ]
    rows = [row for row in read_jsonl(data / "grounding/scifact/claims_train.jsonl") if row["_id"] in held_back]
    claims = [JudgedClaim(row["_id"], row["claim"], _scifact_verdict(row["evidence"])) for row in rows]
    return ClaimSet(claims, three_way=True, corpus=corpus)


def _scifact_verdict(evidence: Sequence[Mapping[str, Any]]) -> Verdict:
    return _VERDICTS[evidence[0]["label"]] if evidence else "not enough evidence"


def _foolmetwice(data: Path, evidence: str) -> ClaimSet:
    claims = []
    for number, row in enumerate(read_jsonl(data / "grounding/foolmetwice/dev.jsonl.gz")):
        title = str(row.get("wikipedia_page", "")).strip()
        texts = dict.fromkeys(part["text"] for part in row[evidence] if part["text"].strip())
        # Sentences of a page, of which each is a source: what lies between them is not given.
        sources = tuple(Document(text, f"foolmetwice/{number}/{at}", {"title": title}) for at, text in enumerate(texts))
        if evidence == "gold_evidence":
            sources = (Document(" ".join(texts), f"foolmetwice/{number}", {"title": title}),)
        claims.append(JudgedClaim(str(number), row["text"], _VERDICTS[row["label"]], sources))
    return ClaimSet(claims)


def _wice(data: Path) -> ClaimSet:
    claims = []
    for number, row in enumerate(read_jsonl(data / "grounding/wice/claim_dev.jsonl.gz")):
        first, *others = row["evidence"]
        title = first.partition("TITLE:")[2].strip() if "TITLE:" in first else ""
        page = Document("\n".join(others if title else row["evidence"]), f"wice/{number}", {"title": title})
        claims.append(JudgedClaim(str(number), row["claim"], _VERDICTS[row["label"]], (page,)))
    return ClaimSet(claims)


def _covidfact(data: Path) -> ClaimSet:
    rows = enumerate(read_jsonl(data / "grounding/covidfact/rte_train.jsonl.gz"))
    return ClaimSet(
        [
            JudgedClaim(str(at), row["hypothesis"], _VERDICTS[row["label"]], (Document(row["premise"], f"covid/{at}"),))
            for at, row in rows
            if not is_fitted_on(row["premise"])
        ]
    )


SETS: Mapping[str, Callable[[Path], ClaimSet]] = {
    "scifact": _scifact,
    "foolmetwice gold": lambda data: _foolmetwice(data, "gold_evidence"),
    "foolmetwice retrieved": lambda data: _foolmetwice(data, "retrieved_evidence"),
    "wice": _wice,
    "covidfact": _covidfact,
}
