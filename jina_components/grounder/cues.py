"""Words that tell for or against a claim by themselves: what is denied, what has an opposite, what is named."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from jina_components.core.overlap import terms

# What says little of what a text is about, by its rough stem; what denies is told apart.
_COMMON = frozenset(
    term
    for term in terms(
        "a an the of in on at by for to from and or but with as is are was were be been being am has have had having "
        "do does did doing that which who whom whose what when where why how it its they them their he him his she "
        "her we us our you your i me my this these those there here than then so such also too very can could will "
        "would shall should may might must into onto over under about after before between during through while "
        "because if both each other another some any all only just one ones first more most less least many much "
        "few not no nor never none neither without cannot isn aren wasn weren don doesn didn hasn haven hadn won "
        "wouldn couldn shouldn t s re ve ll d m up out off down again same own s der die das und ist ein eine le la "
        "les et un une el los y es"
    )
)
_DENIAL = re.compile(
    r"\b(?:not|never|no|none|neither|nor|nobody|nothing|nowhere|without|cannot|hardly|barely|scarcely|fail(?:s|ed)?"
    r"|lacks?|lacked|lacking|unable|den(?:y|ies|ied)|refus(?:e|es|ed)|false|myth|untrue|rarely|seldom|unlikely|avoid"
    r"(?:s|ed)?|prevent(?:s|ed)?|nicht|kein(?:e|er|en|em)?|nie|niemals|ohne|jamais|aucune?|nunca|sin)\b"
    r"|n['’]t\b",
    re.IGNORECASE,
)
_NOT_DENIED = re.compile(r"\bnot only\b|\bno (?:fewer|less|more) than\b|\bno\. ?\d|\bnot just\b", re.IGNORECASE)
# The words of either side of a line are the opposites of those of the other.
_OPPOSITES = """
    increase increases increased increasing raise raises raised rise rises rose higher more upregulated grew grow |
        decrease decreases decreased decreasing reduce reduces reduced reducing fall falls fell lower less fewer
        downregulated shrank decline declined declines;
    before earlier precedes preceded prior | after later follows followed;
    largest biggest most highest longest greatest maximum | smallest least lowest shortest minimum;
    larger bigger longer older taller | smaller shorter younger;
    northern north | southern south;
    eastern east | western west;
    always | never;
    all every everyone | none nobody few;
    first | last final;
    won win wins winning victory | lost lose loses losing defeat defeated;
    positive positively | negative negatively;
    male man men boy king father brother son husband he his |
        female woman women girl queen mother sister daughter wife she her;
    begin begins began start starts started opened | end ends ended stop stopped closed;
    born | died death;
    inside internal | outside external;
    above | below;
    upper | lower;
    best better | worst worse;
    alive | dead;
    public | private;
    common | rare;
    strong stronger | weak weaker;
    success succeeded successful | failure failed unsuccessful;
    allowed legal permitted | forbidden illegal banned;
    accepted accept approved | rejected refused declined;
    rich wealthy | poor;
    benign | malignant;
    acute | chronic;
    promotes promote promoted enhances enhance enhanced activates activate activated induces induce induced stimulates |
        inhibits inhibit inhibited impairs impair impaired suppresses suppress suppressed blocks prevents prevent;
    improves improve improved | worsens worsen worsened;
    activation activator | inhibition inhibitor;
    sensitive sensitivity susceptible | resistant resistance;
    presence present | absence absent;
    dependent | independent;
    effective efficacious | ineffective;
    sufficient | insufficient;
    necessary required | unnecessary dispensable;
    major | minor;
    buy bought | sell sold;
    gain gained | loss;
    true | false;
    same | different distinct;
    with | without;
    married | divorced single;
    hot warm | cold cool;
    early | late;
    old | new;
    left | right;
    guilty convicted | innocent acquitted;
    safe | dangerous harmful toxic;
    likely | unlikely;
    possible | impossible;
    beneficial benefit | harmful harm;
    hero | villain;
    fiction fictional | real nonfiction;
    known | unknown;
    join joined | leave left quit;
    friend friends ally allies | enemy enemies;
    majority | minority;
    day | night;
    summer | winter;
    odd | even;
    parent parents | child children;
    import | export;
    love loved | hate hated
"""
_OPPOSITE: dict[str, frozenset[str]] = {}
for _pair in _OPPOSITES.split(";"):
    _sides = [frozenset(side.split()) for side in _pair.split("|")]
    for _side, _other in (_sides[:2], _sides[1::-1]):
        for _word in _side:
            _OPPOSITE[_word] = _OPPOSITE.get(_word, frozenset()) | _other
_VERB = re.compile(
    r"\b(?:is|are|was|were|am|can|could|will|would|should|may|might|must|has|have|had|does|do|did)\b(?! not\b)",
    re.IGNORECASE,
)
_TAKEN_OUT = re.compile(r"\s(?:not|never)\b(?! only)", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_NAME = re.compile(r"(?<!^)(?<![.!?] )\b[A-Z][\w'’-]+")


class Cues(NamedTuple):
    """What single words of a text tell.

    Attributes:
        content: Terms that say what it is about, rough stems.
        names: Those of words with a capital inside a sentence.
        words: All its words, in lower case.
        denials: How often it denies something.
    """

    content: frozenset[str]
    names: frozenset[str]
    words: frozenset[str]
    denials: int


def read_cues(text: str) -> Cues:
    """The cues of a text; linear time."""
    names = frozenset(term for name in _NAME.findall(text) for term in terms(name)) - _COMMON
    denials = len(_DENIAL.findall(_NOT_DENIED.sub(" ", text)))
    words = frozenset(word.casefold() for word in _WORD.findall(text))
    return Cues(frozenset(terms(text)) - _COMMON, names, words, denials)


def opposed(claim: Cues, evidence: Cues) -> tuple[str, str] | None:
    """A word of the claim that the evidence has the opposite of, and not the word, nor the claim the opposite."""
    for word in sorted(claim.words & _OPPOSITE.keys()):
        found = _OPPOSITE[word] & evidence.words
        same = _synonyms(word) & evidence.words
        if found and not same and not _OPPOSITE[word] & claim.words:
            return word, min(found)
    return None


def _synonyms(word: str) -> AbstractSet[str]:
    return frozenset().union(*(_OPPOSITE[other] for other in _OPPOSITE[word]))


def denied(claim: str) -> str | None:
    """The claim with a "not" put in or taken out; None where no rule fits. English."""
    if _TAKEN_OUT.search(claim):
        return _TAKEN_OUT.sub("", claim, count=1)
    verb = _VERB.search(claim)
    return None if verb is None else f"{claim[: verb.end()]} not{claim[verb.end() :]}"
