"""From a draft to an answer: each sentence with the quotes that show it, and nothing invented.

A sentence that says what a source says in the same words rests on that. For any other the nearest quotes are found by
similarity, as Jina's DeepSearch does, and the Grounder judges whether they show it. Numbers, dates and names must
stand in the quotes, whatever the models say. What the rules can not tell without a Grounder is whether similar words
say the contrary.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jina_components.core.json_schema import violations
from jina_components.deep_search.citing.addresses import cut_addresses, ends_in_address
from jina_components.deep_search.citing.citations import cite, number
from jina_components.deep_search.citing.claiming import is_pointer
from jina_components.deep_search.citing.drafting import Piece, compose, split_draft, without_orphans
from jina_components.deep_search.citing.evidence import Evidence
from jina_components.deep_search.citing.findings import Finding
from jina_components.deep_search.citing.sanitizing import sanitize
from jina_components.deep_search.citing.support import Rules
from jina_components.deep_search.citing.values import cleaned, leaves, without
from jina_components.deep_search.citing.verbatim import count_words
from jina_components.deep_search.citing.verifying import MAX_VERIFIED, Question, Verified, Verifier
from jina_components.deep_search.comparing import Comparer
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.meter import Meter
from jina_components.deep_search.state import State
from jina_components.deep_search_options import DeepSearchOptions
from jina_components.errors import ChatError
from jina_components.protocols import SupportsGround
from jina_components.types import AnsweredSentence, Citation

UNVERIFIED = "[unverified]"
"""Follows a sentence that no source shows."""

# Quotes that are compared with a sentence, those whose documents the Grounder gets, and sentences that are compared.
_CANDIDATES, _SHOWN, _MAX_COMPARED = 8, 5, 300
_LONGEST = 2000  # characters of a sentence to verify
_FRAGMENT = 8  # words of an item that may say nothing without what introduces it
_REFERRING = re.compile(
    r"(?:he|she|it|they|this|these|those|that|his|her|its|their|such|both|er|sie|es|dies|diese|dieser|il|elle|ils|elles"
    r"|este|esta|él|ella)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Attributed:
    """A draft with its evidence.

    Attributes:
        text: As `Answer.text`; empty where nothing of the draft is left.
        citations: As `Answer.citations`.
        sentences: As `Answer.sentences`.
        claims: How many of the draft's sentences claim something.
        share: Share of the draft's sentences that claim something which a source shows; 0 where none claims anything.
        unsupported: The draft's sentences that no source shows, or that were left out.
        left_out: Of each sentence that was left out why, with its first words as far as the sources know them.
    """

    text: str
    citations: tuple[Citation, ...] = ()
    sentences: tuple[AnsweredSentence, ...] = ()
    claims: int = 0
    share: float = 0.0
    unsupported: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


class Attributor:
    """Finds the quotes that show an answer, and leaves out what is invented.

    Args:
        comparer: Finds the nearest quotes.
        grounder: Judges whether they show a sentence; without one similarity decides, and whether the sentence's
            numbers, dates and names stand in the quotes.
        options: What becomes of sentences that nothing shows, and how many citations there may be.
        journal: Has every call on record.
        meter: Counts what they cost.
    """

    def __init__(
        self,
        *,
        comparer: Comparer,
        grounder: SupportsGround | None,
        options: DeepSearchOptions,
        journal: Journal,
        meter: Meter,
    ) -> None:
        self._comparer = comparer
        self._verifier = None if grounder is None else Verifier(grounder, journal=journal, meter=meter)
        self._options = options
        self._evidence: Evidence | None = None
        self._said: Sequence[str] = ()

    async def attribute(self, text: str, state: State) -> Attributed:
        """The text (a model's Markdown: untrusted) with footnote marks, its citations and what became of its sentences.

        Raises:
            TraceError: a replay holds no answer to what is asked.
        """
        rules = self._rules(state)
        evidence = rules.evidence
        pieces = split_draft(sanitize(text, evidence.addresses), evidence.verbatim)
        for piece in pieces:  # again, as marks that stood in the midst of an address may be gone
            piece.text = cut_addresses(piece.text, evidence.addresses, is_code=piece.kind == "code").strip()
        findings = [rules.first_look(pieces, place) for place in range(len(pieces))]
        if evidence.addresses.unknown(text):
            _leave_out_pointers(findings)
        for finding in findings:
            if finding.is_open:
                rules.calculated(finding, alone=True)
        unsettled = [finding for finding in findings if finding.is_open]
        await self._compare(unsettled, evidence)
        for finding, verified in zip(unsettled, await self._verify(unsettled, findings, state), strict=True):
            rules.decide(finding, verified)
        return self._composed(pieces, findings, rules)

    def clean(self, value: Any, state: State) -> Any:  # noqa: ANN401 (JSON)
        """A JSON value that a model wrote for `options.schema`, without what it invented; warnings tell of that.

        Texts lose invented addresses, and sentences with invented quotes. Members and items with numbers, dates or
        names that stand nowhere in the sources, in what the user said or in calculations go. What the schema itself
        names (properties, choices) and what stands in the sources word for word stays as it is. A number or name that
        does stand in a source, but of something else, is not found out.

        Args:
            value: Anything that JSON can hold.
            state: What is known; gets the warnings.

        Raises:
            ChatError: it is nested too deeply, or without what was invented it does not fit the schema.
        """
        schema = self._options.schema or {}
        rules = self._rules(state)
        try:
            kept = frozenset(one for one in leaves(schema) if isinstance(one, str))
            clean = cleaned(value, rules.evidence, kept)
            unshown = {one: rules.unshown(one) for one in leaves(clean) if isinstance(one, str | int | float)}
            wrong = {one for one, said in unshown.items() if said and one not in kept}
            clean = without(clean, wrong)
        except RecursionError as error:
            raise ChatError("The chat model's JSON is nested too deeply.") from error
        if clean != value and (why := violations(clean, schema)):
            raise ChatError(f"Without what no source shows, the chat model's JSON does not fit its schema: {why}")
        if wrong:
            state.warnings[f"Left out of the JSON, as no source shows them: {len(wrong)} values."] = None
        return clean

    def _rules(self, state: State) -> Rules:
        said = [state.question, *(message.content for message in state.messages if message.role == "user")]
        calculated = [(one.question, one.text) for one in state.knowledge if one.kind == "calculation"]
        evidence = self._evidence_of(state, said)
        return Rules(evidence, said=said, calculated=calculated, least=self._options.min_citation_relevance)

    def _evidence_of(self, state: State, said: Sequence[str]) -> Evidence:
        """The evidence of a state, which grows between the calls for it."""
        if self._evidence is None or self._said != said:
            self._evidence, self._said = Evidence(said), said
        self._evidence.add(state.evidence.values())
        return self._evidence

    async def _compare(self, findings: Sequence[Finding], evidence: Evidence) -> None:
        """Find the quotes nearest to each sentence."""
        some = findings[:_MAX_COMPARED]
        candidates = [evidence.nearest(finding.says, _CANDIDATES) for finding in some]
        unique = {quote.number: quote for quotes in candidates for quote in quotes}
        if not unique:
            return
        places = {number: place for place, number in enumerate(unique)}
        others = [quote.plain for quote in unique.values()]
        rows = await self._comparer.similarity([finding.says for finding in some], others)
        for finding, quotes, row in zip(some, candidates, rows, strict=True):
            near = [(quote, row[places[quote.number]]) for quote in quotes]
            finding.near = sorted(near, key=lambda pair: -pair[1])

    async def _verify(
        self, unsettled: Sequence[Finding], findings: Sequence[Finding], state: State
    ) -> list[Verified | None]:
        """What the Grounder says of each sentence; None of those that it is not asked about."""
        answers: list[Verified | None] = [None] * len(unsettled)
        if self._verifier is None:
            return answers
        before = dict(zip(map(id, findings), _contexts(findings), strict=True))
        asked = [place for place, one in enumerate(unsettled) if one.near and one.piece.kind not in ("code", "quote")]
        questions = [
            Question(before[id(one)], one.says[:_LONGEST], tuple(quote for quote, _ in one.near[:_SHOWN]))
            for one in (unsettled[place] for place in asked[:MAX_VERIFIED])
        ]
        for place, answer in zip(asked, await self._verifier.verify(questions, state.warnings), strict=False):
            answers[place] = answer
        return answers

    def _composed(self, pieces: Sequence[Piece], findings: Sequence[Finding], rules: Rules) -> Attributed:
        """The answer of what is left."""
        is_marked = self._options.unsupported == "mark"
        kept = {
            place
            for place, one in enumerate(findings)
            if one.piece.text and not one.dropped and (one.supported or is_marked)
        }
        order = sorted(without_orphans(pieces, kept))
        cited = [[cite(quote.document, quote.span, score=score) for quote, score in findings[place].quotes]
                 for place in order]  # fmt: skip
        citations, numbers = number(cited, limit=self._options.max_citations)
        marks = {
            place: _mark(pieces[place], row) if findings[place].supported else f" {UNVERIFIED}"
            for place, row in zip(order, numbers, strict=True)
        }
        text, placed = compose(pieces, marks)
        sentences = [
            AnsweredSentence(one.start, one.end, findings[place].supported, row)
            for one, place, row in zip(placed, order, numbers, strict=True)
        ]
        claims = [one for one in findings if one.claims]
        shown = sum(one.supported for one in claims)
        return Attributed(
            text,
            citations,
            tuple(sentences),
            len(claims),
            shown / len(claims) if claims else 0.0,
            tuple(one.says for one in findings if not one.supported),
            tuple(f"{one.why}: {rules.known_words(one.says)}" for one in findings if one.dropped),
        )


def _leave_out_pointers(findings: Sequence[Finding]) -> None:
    """Leave out sentences that only point to an address which was cut out."""
    for one in findings:
        if one.piece.kind in ("text", "item") and not one.quotes and not one.dropped and is_pointer(one.says):
            one.supported, one.claims, one.dropped = False, False, True
            one.why = "it points to an address that no source names"


def _mark(piece: Piece, numbers: Sequence[int]) -> str:
    marks = "".join(f"[^{number}]" for number in numbers)
    return f" {marks}" if marks and ends_in_address(piece.text) else marks


def _contexts(findings: Sequence[Finding]) -> list[str]:
    """For each sentence what it cannot be read without: the introduction of a list; what "it" stands for."""
    contexts: list[str] = []
    introduction = before = ""
    for finding in findings:
        kind, says = finding.piece.kind, finding.says
        is_fragment = count_words(says) <= _FRAGMENT and not says.endswith((".", "!", "。"))
        if kind == "item" and introduction and is_fragment:
            contexts.append(introduction)
        else:
            contexts.append(before if _REFERRING.match(says) else "")
        if kind in ("text", "heading"):
            introduction = says[:_LONGEST] if says.endswith((":", "：")) else ""
        if kind in ("text", "item"):
            before = says[:_LONGEST]
    return contexts
