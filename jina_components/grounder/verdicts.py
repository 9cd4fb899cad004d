"""From what passages say to what is true: the verdict on a claim, and on a statement of several.

A claim is as settled as the passage that settles it most. In whether it is true each passage has a say, and the less,
the less it settles: many that say little do not outweigh one that settles it. Where the decisive ones are divided, or
none is decisive, there is not enough evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jina_components.grounder.claims import Claim
from jina_components.grounder.features import differences
from jina_components.grounder.judging import Judged, Judgement
from jina_components.types import ClaimVerdict, Grounding, Reference, Usage, Verdict, shorten

MAX_REFERENCES = 30
"""As many as the hosted product gives at most."""
# From which on there is a verdict, of the passage that settles the claim most: of several passages one soon seems to.
# Chosen on SciFact's training claims that are not held back; so is the next, and on part of FoolMeTwice's.
_SETTLED = 0.6
_STEEP = 4  # how much less a passage has to say that settles less: the power of how much it does
_DIVIDED = 0.05  # how near to one half the passages lean that decide nothing
# Probability that a passage shows what it is quoted for: of the surest; of others for the same, as a share of that; and
# of those to the contrary.
_WORTH_QUOTING, _BESIDE, _AGAINST = 0.3, 0.75, 0.5
_QUOTED = 300  # characters of a quote within a reason
_NOTHING = Usage()


class _Weighed(NamedTuple):
    """What passages say together.

    Attributes:
        settled: How far the claim is settled at all, 0 to 1.
        lean: Whether it is true, as far as it is settled, 0 to 1.
    """

    settled: float
    lean: float


def judge_claim(claim: Claim, judged: Judged) -> ClaimVerdict:
    """What the evidence says of a claim.

    The factuality of one of which nothing is known is one half. The references are the quotes for and against it, most
    decisive first.
    """
    weighed = _weigh(judged.judgements)
    verdict: Verdict = "supported" if weighed.lean > 0.5 else "refuted"
    if weighed.settled < _SETTLED or abs(weighed.lean - 0.5) < _DIVIDED:
        verdict = "not enough evidence"
    factuality = (1 + weighed.settled * (2 * weighed.lean - 1)) / 2
    return ClaimVerdict(claim.text, verdict, factuality, _references(judged.judgements), claim.start, claim.end)


def _weigh(judgements: Sequence[Judgement]) -> _Weighed:
    found = [(one.support, one.refute) for one in judgements if one.support + one.refute > 0]
    if not found:
        return _Weighed(0.0, 0.5)
    most = max(map(sum, found))
    says = [((support + refute) / most) ** _STEEP for support, refute in found]
    leans = [support / (support + refute) for support, refute in found]
    lean = sum(say * one for say, one in zip(says, leans, strict=True)) / sum(says)
    return _Weighed(min(most, 1.0), min(max(lean, 0.0), 1.0))


def _references(judgements: Sequence[Judgement]) -> tuple[Reference, ...]:
    """The quotes that are worth it, each stretch of a source once."""
    found: dict[tuple[str, int, int], Reference] = {}
    ordered = sorted(judgements, key=lambda one: max(one.support, one.refute), reverse=True)
    for one in ordered:
        strength, (start, end) = max(one.support, one.refute), one.quote
        is_beside = (one.support > one.refute) == (ordered[0].support > ordered[0].refute)
        least = _BESIDE * max(ordered[0].support, ordered[0].refute) if is_beside else _AGAINST
        if strength < max(least, _WORTH_QUOTING) or start == end:
            continue
        reference = Reference(
            url=one.passage.url,
            key_quote=one.passage.text[start:end],
            is_supportive=one.support > one.refute,
            confidence=strength,
            start=one.passage.start + start,
            end=one.passage.start + end,
            title=one.passage.title,
        )
        found.setdefault((reference.url, reference.start, reference.end), reference)
    return tuple(found.values())


def combine(
    statement: str,
    claims: Sequence[ClaimVerdict],
    *,
    usage: Usage = _NOTHING,
    warnings: Sequence[str] = (),
    max_references: int = MAX_REFERENCES,
) -> Grounding:
    """What the evidence says of a statement, by what it says of its claims: it is as true as the least true of them.

    Args:
        statement: The statement.
        claims: The verdicts on its claims; none for one that claims nothing.
        usage: Tokens spent on all of it.
        warnings: What a reader of the verdict should know.
        max_references: Quotes to give, most decisive first.
    """
    verdict = _all_of([claim.verdict for claim in claims])
    return Grounding(
        statement=statement,
        factuality=min((claim.factuality for claim in claims), default=0.5),
        result=verdict == "supported",
        verdict=verdict,
        reason=_reason(claims),
        references=_strongest(claims, max_references),
        claims=tuple(claims),
        usage=usage,
        warnings=tuple(warnings),
    )


def _all_of(verdicts: Sequence[Verdict]) -> Verdict:
    if "refuted" in verdicts:
        return "refuted"
    return "supported" if verdicts and all(one == "supported" for one in verdicts) else "not enough evidence"


def _strongest(claims: Sequence[ClaimVerdict], limit: int) -> tuple[Reference, ...]:
    """The references of all claims, each once: one that two claims have says of the statement what it says surest."""
    found: dict[tuple[str, int, int], Reference] = {}
    for one in sorted((one for claim in claims for one in claim.references), key=lambda one: -one.confidence):
        found.setdefault((one.url, one.start, one.end), one)
    return tuple(found.values())[:limit]


def _reason(claims: Sequence[ClaimVerdict]) -> str:
    if not claims:
        return "The statement makes no claim that could be checked."
    if len(claims) == 1:
        return _reason_of(claims[0])
    return " ".join(f"“{shorten(claim.claim, 200)}” {_reason_of(claim)}" for claim in claims)


def _reason_of(claim: ClaimVerdict) -> str:
    pro = next((one for one in claim.references if one.is_supportive), None)
    against = next((one for one in claim.references if not one.is_supportive), None)
    if claim.verdict == "not enough evidence":
        if pro and against:
            return f"Not enough evidence: the sources are divided. {_told(pro)} But {_told(against)}"
        near = pro or against
        return "Not enough evidence: nothing that was found settles it." + (f" Nearest: {_told(near)}" if near else "")
    shown, other = (pro, against) if claim.verdict == "supported" else (against, pro)
    parts = ["Supported." if claim.verdict == "supported" else "Refuted."]
    if shown:
        difference = "" if shown.is_supportive else differences(claim.claim, shown.key_quote)
        parts += [_told(shown), f"({difference}.)" if difference else ""]
    if other:
        parts.append(f"Otherwise, but less decisive: {_told(other)}")
    return " ".join(filter(None, parts))


def _told(reference: Reference) -> str:
    return f"{reference.title.strip() or reference.url}: “{shorten(reference.key_quote, _QUOTED)}”"
