"""Claims made by rule: of a question and its answer, and of another claim, so that it must be false, or true again.

A claim that a premise contradicts is entailed once it is denied, and the other way round. Pairs made both ways leave
nothing to be learned from a "not" alone, which is what tells most in FEVER (Schuster et al. 2019).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

ENTAILMENT, NEUTRAL, CONTRADICTION, NOT_ENTAILMENT = "entailment", "neutral", "contradiction", "not_entailment"
_AUXILIARY = r"(?:do|does|did|is|are|was|were|has|have|had|can|could|will|would|should|may|might|must)\b"
_NOUN = rf"(?!{_AUXILIARY})\w+"
# A question by its beginning, and the claim that it makes of the answer {a}.
_CLAIMS = tuple(
    (re.compile(pattern, re.IGNORECASE), claim)
    for pattern, claim in (
        (rf"^(?:who|what|(?:what|which) {_NOUN}) (?!of |{_AUXILIARY})(?P<rest>[^?]+)\?*$", "{a} {rest}"),
        (rf"^(?:who|what|(?:what|which) {_NOUN}) (?P<verb>is|are|was|were) (?P<rest>[^?]+)\?*$", "{rest} {verb} {a}"),
        (rf"^how many (?P<what>\w+) (?!{_AUXILIARY})(?P<rest>[^?]+)\?*$", "{a} {what} {rest}"),
        (r"^how many (?P<what>[\w ]+?) (?:do|does|did) (?P<rest>[^?]+)\?*$", "{rest} {a} {what}"),
        (r"^(?:when|where|in what year|in which year|what year) (?:do|does|did) (?P<rest>[^?]+)\?*$", "{rest} in {a}"),
        (r"^(?:when|where|in what year|in which year|what year) (?P<verb>is|are|was|were) (?P<rest>[^?]+)\?*$",
         "{rest} {verb} in {a}"),
        (rf"^(?:who|what|(?:what|which) {_NOUN}) (?:do|does|did) (?P<rest>[^?]+)\?*$", "{rest} {a}"),
        (r"^(?P<before>[^?]*?)\b(?:what|which|who|whom)\b(?P<rest>[^?]*)\?*$", "{before} {a} {rest}"),
    )
)  # fmt: skip
_OPPOSITES = (
    "increase decrease", "increases decreases", "increased decreased", "more less", "higher lower", "high low",
    "before after", "first last", "largest smallest", "larger smaller", "north south", "east west", "northern southern",
    "eastern western", "always never", "all none", "many few", "most least", "early late", "earlier later", "old young",
    "older younger", "won lost", "positive negative", "male female", "king queen", "father mother",
    "brother sister", "son daughter", "husband wife", "begins ends", "began ended", "born died", "inside outside",
    "above below", "upper lower", "best worst", "better worse", "long short",
    "public private", "common rare", "strong weak", "success failure", "allowed forbidden", "gain loss",
    "rich poor", "reduce raise", "reduced raised", "reduces raises", "benign malignant", "acute chronic",
    "promotes inhibits", "promoted inhibited", "promote inhibit", "enhances impairs", "enhanced impaired",
    "improves worsens", "improved worsened", "activation inhibition", "increasing decreasing", "with without",
    "upregulated downregulated", "sensitive resistant", "presence absence", "dependent independent",
    "effective ineffective", "sufficient insufficient", "necessary unnecessary", "major minor", "longer shorter",
    "accepted rejected", "buy sell", "bought sold", "rise fall", "rose fell",
)  # fmt: skip
_OPPOSITE = {a: b for pair in _OPPOSITES for a, b in (pair.split(), pair.split()[::-1])}
_NUMBER = re.compile(r"\b\d[\d,]*(?:\.\d+)?\b")
_NAME = re.compile(r"(?<=[a-z,;] )(?:[A-Z][\w'-]+)(?: [A-Z][\w'-]+)*")
_VERB = re.compile(r"\b(?:is|are|was|were|can|will|has been|have been|does|do|did)\b")
_DENIAL = re.compile(r" (?:not|never)\b(?! only)")


def claim_of(question: str, answer: str) -> str | None:
    """What a question and its answer say, in the words of both; None for a question of unknown form."""
    for pattern, claim in _CLAIMS:
        if found := pattern.match(question.strip()):
            said = " ".join(claim.format(a=answer, **found.groupdict()).split())
            return f"{said[0].upper()}{said[1:]}."
    return None


def names_in(text: str) -> list[str]:
    """What looks like the name of a person, a place or a thing."""
    return _NAME.findall(text)


def turned(claim: str, label: str, names: list[str], random: np.random.Generator) -> tuple[str, str] | None:
    """Another claim that differs in a word or two, and its label; None where no rule fits.

    Args:
        claim: A sentence.
        label: `ENTAILMENT` or `CONTRADICTION`: what the claim is of its premise.
        names: Those that may take the place of one in it; some.
        random: Draws the rule and what it puts in.
    """
    choices = [(made, of) for turn, of in _TURNS[label] if (made := turn(claim, names, random))]
    return choices[int(random.integers(0, len(choices)))] if choices else None


def _other_number(sentence: str, _: list[str], random: np.random.Generator) -> str | None:
    found = list(_NUMBER.finditer(sentence))
    if not found:
        return None
    one = found[int(random.integers(0, len(found)))]
    whole, point, rest = one[0].partition(".")
    value = int(whole.replace(",", ""))
    shift = int(random.integers(1, max(3, min(20, value // 2 + 2))))
    other = value + (shift if random.random() < 0.5 or value <= shift else -shift)
    written = f"{other:,}" if "," in whole else str(other)
    return f"{sentence[: one.start()]}{written}{point}{rest}{sentence[one.end() :]}"


def _other_name(sentence: str, names: list[str], random: np.random.Generator) -> str | None:
    found = list(_NAME.finditer(sentence))
    if not found:
        return None
    one, other = found[int(random.integers(0, len(found)))], names[int(random.integers(0, len(names)))]
    return None if other in sentence else f"{sentence[: one.start()]}{other}{sentence[one.end() :]}"


def _opposite(sentence: str, _: list[str], random: np.random.Generator) -> str | None:
    words = sentence.split(" ")
    places = [at for at, word in enumerate(words) if word in _OPPOSITE]
    if not places:
        return None
    at = places[int(random.integers(0, len(places)))]
    return " ".join([*words[:at], _OPPOSITE[words[at]], *words[at + 1 :]])


def _denied(sentence: str, _: list[str], random: np.random.Generator) -> str | None:
    if _DENIAL.search(sentence):
        return _DENIAL.sub("", sentence, count=1)
    found = _VERB.search(sentence)
    if found is None:
        return None
    word = "never" if random.random() < 0.4 else "not"
    return f"{sentence[: found.end()]} {word}{sentence[found.end() :]}"


_Turn: TypeAlias = Callable[[str, list[str], np.random.Generator], str | None]
# What makes another claim, and what that is of a premise: another name may be true as well.
_TURNS: dict[str, tuple[tuple[_Turn, str], ...]] = {
    ENTAILMENT: (
        (_other_number, CONTRADICTION),
        (_other_name, NOT_ENTAILMENT),
        (_opposite, CONTRADICTION),
        (_denied, CONTRADICTION),
    ),
    CONTRADICTION: ((_denied, ENTAILMENT),),
}
