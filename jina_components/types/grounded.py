"""What evidence says of statements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from jina_components.types.grounded_html import grounding_html, text_html
from jina_components.types.texts import Usage, shorten

Verdict: TypeAlias = Literal["supported", "refuted", "not enough evidence"]
"""What the evidence says of a claim."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A verbatim quote that speaks for or against a claim.

    Attributes:
        url: URL, path or id of the source; of a text passed without one, its place: `references[0]`.
        key_quote: The exact words: `source_text[start:end] == key_quote`, checked before it is given out.
        is_supportive: Whether it speaks for the claim, rather than against it.
        confidence: Probability of that, 0 to 1.
        start, end: Where it stands in the source's text (`Page.content`, or `Document.text`), in code points.
        title: Title of the source, or empty.
    """

    url: str
    key_quote: str
    is_supportive: bool
    confidence: float
    start: int
    end: int
    title: str = ""

    def __repr__(self) -> str:
        return f"Reference({'for' if self.is_supportive else 'against'}, {shorten(self.key_quote)!r}, {self.url!r})"


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """What the evidence says of one checkable claim of a statement.

    Attributes:
        claim: The claim as it was checked: it can be read alone, and so may differ from the words of the statement.
        verdict: What the evidence says.
        factuality: Probability that the claim is true given the evidence, 0 to 1.
        references: The quotes that speak for or against it, most decisive first.
        start, end: The stretch of the statement that makes the claim, in code points.
    """

    claim: str
    verdict: Verdict
    factuality: float
    references: tuple[Reference, ...] = ()
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Grounding:
    """What the evidence says of a statement.

    Attributes:
        statement: The statement.
        factuality: Probability that all of it is true given the evidence, 0 to 1.
        result: Whether the statement is supported: True for the verdict `supported` alone.
        verdict: `refuted` if a claim is, `supported` if every claim is, else `not enough evidence`.
        reason: Why, in words for people.
        references: The quotes, most decisive first.
        claims: What was found of each claim.
        usage: Tokens spent by reading and by the models.
        warnings: What a reader of the verdict should know: sources that failed, and why …
    """

    statement: str
    factuality: float
    result: bool
    verdict: Verdict
    reason: str
    references: tuple[Reference, ...] = ()
    claims: tuple[ClaimVerdict, ...] = ()
    usage: Usage = Usage()
    warnings: tuple[str, ...] = ()

    @property
    def checked_as(self) -> tuple[str, ...]:
        """Those of its claims that stand in the statement in other words, as where a pronoun was replaced by a name."""
        stated = _plain(self.statement)
        return tuple(claim.claim for claim in self.claims if _plain(claim.claim) not in stated)

    def __repr__(self) -> str:
        return (
            f"Grounding({self.verdict!r}, {self.factuality:.2f}, {len(self.references)} references, "
            f"{shorten(self.statement)!r})"
        )

    def _repr_html_(self) -> str:
        return grounding_html(self)


@dataclass(frozen=True, slots=True)
class GroundingStep:
    """One step on the way to a verdict, as it is taken.

    Attributes:
        stage: `claims`, `queries`, `search`, `read`, `passages`, `judge`, and `done` with the result.
        text: What was done, in words for people.
        claim: Number of the claim that it was done for, from 1; None where it serves all.
        urls: Sources that it is about.
        grounding: Of `done`, the result.
    """

    stage: Literal["claims", "queries", "search", "read", "passages", "judge", "done"]
    text: str
    claim: int | None = None
    urls: tuple[str, ...] = ()
    grounding: Grounding | None = None


@dataclass(frozen=True, slots=True)
class GroundedSentence:
    """A sentence of a text that was checked: `text[start:end]`.

    Attributes:
        start, end: Where it stands in the text, in code points.
        grounding: What the evidence says; None for a sentence that claims nothing that could be checked
            (a question, a greeting, a heading).
    """

    start: int
    end: int
    grounding: Grounding | None


@dataclass(frozen=True, slots=True)
class GroundedText:
    """A text checked sentence by sentence.

    Attributes:
        text: The text.
        sentences: Its sentences in order.
        factuality: Mean factuality of the sentences that were checked; None where none could be.
        usage: Tokens spent.
        warnings: What a reader should know.
    """

    text: str
    sentences: tuple[GroundedSentence, ...]
    factuality: float | None
    usage: Usage = Usage()
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        checked = sum(sentence.grounding is not None for sentence in self.sentences)
        share = "" if self.factuality is None else f", factuality {self.factuality:.2f}"
        return f"GroundedText({checked} of {len(self.sentences)} sentences checked{share}, {shorten(self.text)!r})"

    def _repr_html_(self) -> str:
        return text_html(self)


def _plain(words: str) -> str:
    """Words as they are compared: whatever the spaces between them and the mark at their end."""
    return " ".join(words.split()).rstrip(".!…;, ")
