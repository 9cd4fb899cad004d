"""What is measured: the Grounder, and simpler ways to judge a claim by the same evidence."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from benchmarks.quality.grounder_sets import ClaimSet, JudgedClaim
from jina_components import Document, Embedder, EntailmentScorer, Retriever
from jina_components.core.boundaries import sentences
from jina_components.core.overlap import terms
from jina_components.fine_tuner.recipes.data.judged_passages import JudgedPassage
from jina_components.fine_tuner.recipes.quality.metrics import balanced_accuracy
from jina_components.grounder import Grounder
from jina_components.types import Entailment, Entailments, Grounding, Reference, Verdict

if TYPE_CHECKING:
    from jina_components.types import FloatArray

RETRIEVED = 5  # abstracts for a claim


class Answer(NamedTuple):
    """What a system says of a claim.

    Attributes:
        factuality: How sure it is that the claim is true, 0 to 1; or any number that grows with it.
        verdict: Its verdict.
        references: Its quotes, if it gives any.
        leans: Whether it takes the claim for true rather than not, where there is no third; None: by the verdict.
        support: How sure it is that the evidence supports the claim, rather than refutes it or leaves it open; None:
            as its factuality.
    """

    factuality: float
    verdict: Verdict
    references: tuple[Reference, ...] = ()
    leans: bool | None = None
    support: float | None = None


class System(Protocol):
    """Something that judges claims by evidence."""

    def __call__(self, claim: JudgedClaim, evidence: Sequence[Document]) -> Answer:
        """What it says of a claim, given what was found for it."""
        ...


class CachedScorer:
    """An entailment scorer that keeps what it has scored in a file; without one, in memory.

    Args:
        scorer: The scorer.
        path: The file, JSON.
    """

    def __init__(self, scorer: EntailmentScorer, path: Path | None = None) -> None:
        self._scorer, self._path = scorer, path
        self._known: dict[str, list[float]] = {}
        if path is not None and path.is_file():
            self._known = json.loads(path.read_text(encoding="utf-8"))

    def score(self, pairs: Sequence[tuple[str, str]], *, truncate: bool = False) -> Entailments:
        """As `EntailmentScorer.score`; counts no tokens for what it has scored before."""
        keys = [blake2b(json.dumps([*pair, truncate]).encode(), digest_size=12).hexdigest() for pair in pairs]
        new = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in self._known}
        found = self._scorer.score(list(new.values()), truncate=truncate)
        for key, one in zip(new, found, strict=True):
            self._known[key] = [one.entailment, one.neutral, one.contradiction]
        return Entailments(tuple(Entailment(*self._known[key]) for key in keys), found.usage)

    def save(self) -> None:
        """Write the file."""
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(self._known), encoding="utf-8")


class GrounderSystem:
    """The Grounder, by the evidence that it retrieves itself or is given.

    Args:
        grounder: The Grounder.
        corpus: What it retrieves from; nothing where it is given its evidence.
    """

    def __init__(self, grounder: Grounder, corpus: Sequence[Document] = ()) -> None:
        self._grounder = grounder
        self._corpus = {document.id: document.text for document in corpus}

    def __call__(self, claim: JudgedClaim, evidence: Sequence[Document]) -> Answer:
        """What the Grounder says; its quotes must stand in their sources."""
        found = self._grounder.ground(claim.text, references=None if self._corpus else evidence)
        texts = self._corpus or {document.id: document.text for document in evidence}
        for reference in found.references:
            if texts[reference.url][reference.start : reference.end] != reference.key_quote:
                raise AssertionError(f"Not verbatim: {reference!r} for {claim.id!r}.")
        return Answer(found.factuality, found.verdict, found.references, found.factuality > 0.5, _support(found))


def _support(found: Grounding) -> float:
    """Of the claim that the strongest quote for it supports least."""
    supports = [
        max((reference.confidence for reference in claim.references if reference.is_supportive), default=0.0)
        for claim in found.claims
    ]
    return min(supports, default=0.0)


class EntailmentAlone:
    """The entailment model over all evidence of a claim, its most decided reading: no features, no weights."""

    def __init__(self, scorer: CachedScorer) -> None:
        self._scorer = scorer

    def __call__(self, claim: JudgedClaim, evidence: Sequence[Document]) -> Answer:
        """By the document of the highest entailment or contradiction."""
        scored = self._scorer.score([(_titled(document), claim.text) for document in evidence])
        best = max(scored, key=lambda one: max(one.entailment, one.contradiction))
        verdict: Verdict = "supported" if best.label == "entailment" else "not enough evidence"
        factuality = (1 + best.entailment - best.contradiction) / 2
        support = max(one.entailment for one in scored)
        return Answer(factuality, _refuted_if(best, verdict), leans=factuality > 0.5, support=support)


def _refuted_if(best: Entailment, otherwise: Verdict) -> Verdict:
    return "refuted" if best.label == "contradiction" else otherwise


class Majority:
    """Says of every claim what most claims of the set are."""

    def __init__(self, claims: ClaimSet) -> None:
        found = [claim.verdict for claim in claims.claims]
        self._verdict = max(sorted(set(found)), key=found.count)

    def __call__(self, claim: JudgedClaim, evidence: Sequence[Document]) -> Answer:  # noqa: ARG002 (of all systems)
        """The same for all."""
        return Answer(0.5, self._verdict)


class Similarity:
    """Supported where a sentence of the evidence is near enough to the claim, by the cosine of an embedder.

    Args:
        embedder: The embedder.
        train: Passages that the threshold is chosen on.
    """

    def __init__(self, embedder: Embedder, train: Sequence[JudgedPassage]) -> None:
        self._embedder = embedder
        claims, found = (
            np.asarray(embedder.embed_documents(texts))
            for texts in ([row.text for row in train], [row.passage.text for row in train])
        )
        cosines = (claims * found).sum(axis=1)
        true = np.array([row.verdict == "supported" for row in train])
        steps = np.quantile(cosines, np.linspace(0.02, 0.98, 49))
        self._threshold = float(max(steps, key=lambda step: balanced_accuracy(cosines > step, true)))

    def __call__(self, claim: JudgedClaim, evidence: Sequence[Document]) -> Answer:
        """By the nearest sentence."""
        texts = [piece for document in evidence for piece in _sentences(document.text)]
        vectors: FloatArray = np.asarray(self._embedder.embed_documents([claim.text, *texts]))
        cosine = float((vectors[1:] @ vectors[0]).max())
        return Answer(cosine, "supported" if cosine > self._threshold else "not enough evidence")


class BagOfWords:
    """Logistic regression on TF-IDF of claim and evidence, and on how much of the claim the evidence has.

    Args:
        train: Passages that it is trained on.
    """

    def __init__(self, train: Sequence[JudgedPassage]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        texts = [row.text for row in train] + [row.passage.text for row in train]
        self._tfidf = TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=20_000).fit(texts)
        self._model = LogisticRegression(C=3, class_weight="balanced", max_iter=300)
        rows = self._features([row.text for row in train], [row.passage.text for row in train])
        self._model.fit(rows, [row.verdict for row in train])

    def __call__(self, claim: JudgedClaim, evidence: Sequence[Document]) -> Answer:
        """By all of the evidence together."""
        [row] = self._model.predict_proba(self._features([claim.text], [" ".join(_titled(one) for one in evidence)]))
        shares = dict(zip(self._model.classes_.tolist(), row.tolist(), strict=True))
        factuality = (1 + shares["supported"] - shares["refuted"]) / 2
        verdict: Verdict = max(shares, key=lambda name: shares[name])
        return Answer(factuality, verdict, leans=factuality > 0.5, support=shares["supported"])

    def _features(self, claims: Sequence[str], evidence: Sequence[str]):  # type: ignore[no-untyped-def]  # noqa: ANN202
        from scipy.sparse import csr_array, hstack

        said, found = self._tfidf.transform(claims), self._tfidf.transform(evidence)
        both = said.multiply(found)
        shares = [
            [_covered(one, other), float(both_.sum())] for one, other, both_ in zip(claims, evidence, both, strict=True)
        ]
        return hstack([said, found, both, csr_array(np.array(shares))]).tocsr()


def _covered(claim: str, evidence: str) -> float:
    wanted = set(terms(claim))
    return len(wanted & set(terms(evidence))) / max(len(wanted), 1)


def _titled(document: Document) -> str:
    title = document.metadata.get("title")
    return f"{title}: {document.text}" if title else document.text


def _sentences(text: str) -> list[str]:
    edges = [0, *sentences(text, 0, len(text)), len(text)]
    pieces = [text[start:end].strip() for start, end in pairwise(edges)]
    return [piece for piece in pieces if re.search(r"\w", piece)]


def evidence_of(claim: JudgedClaim, retriever: Retriever | None) -> Sequence[Document]:
    """What was found for a claim: its own sources, or what is retrieved."""
    if retriever is None:
        return claim.sources
    return [hit.document for hit in retriever.retrieve(claim.text, top_k=RETRIEVED)]
