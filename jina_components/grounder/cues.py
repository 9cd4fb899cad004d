"""What single words tell of a text: what it is about, whether it denies something, what is the opposite of what."""

from __future__ import annotations

import re
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
        "somebody someone something nobody nothing everybody everyone everything anybody anyone anything "
        "few not no nor never none neither without cannot isn aren wasn weren don doesn didn hasn haven hadn won "
        "wouldn couldn shouldn t s re ve ll d m up out off down again same own s der die das und ist ein eine le la "
        "les et un une el los y es"
    )
)
_DENIAL = re.compile(
    r"\b(?:not|never|no|none|neither|nor|nobody|nothing|nowhere|without|cannot|hardly|barely|scarcely|fail(?:s|ed)?"
    r"|lacks?|lacked|lacking|unable|den(?:y|ies|ied)|refus(?:e|es|ed)|false|myth|untrue|rarely|seldom|unlikely|avoid"
    r"(?:s|ed)?|prevent(?:s|ed)?|nicht|kein(?:e|er|en|em)?|nie|niemals|ohne|jamais|aucune?|nunca)\b"
    r"|n['’]t\b",
    re.IGNORECASE,
)
_NOT_DENIED = re.compile(r"\bnot (?:only|just)\b|\bno (?:doubt\b|(?:fewer|less|more) than\b)|\bno\. ?\d", re.IGNORECASE)

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
_WORD = re.compile(r"[^\W\d_]+")


class Cues(NamedTuple):
    """What single words of a text tell.

    Attributes:
        content: Terms that say what it is about, rough stems.
        words: All its words, in lower case.
        is_denial: Whether it denies something.
    """

    content: frozenset[str]
    words: frozenset[str]
    is_denial: bool


def read_cues(text: str) -> Cues:
    """The cues of a text; linear time. English, and the commonest words of German, French and Spanish."""
    words = frozenset(word.casefold() for word in _WORD.findall(text))
    return Cues(frozenset(terms(text)) - _COMMON, words, bool(_DENIAL.search(_NOT_DENIED.sub(" ", text))))


def opposed(claim: Cues, evidence: Cues) -> tuple[str, str] | None:
    """A word of the claim that the evidence has the opposite of, and not the word, nor the claim the opposite. English.

    A word that is like it will do for it.
    """
    for word in sorted(claim.words & _OPPOSITE.keys()):
        opposites = _OPPOSITE[word]
        alike = frozenset().union(*(_OPPOSITE[other] for other in opposites))
        found = opposites & evidence.words
        if found and not alike & evidence.words and not opposites & claim.words:
            return word, min(found)
    return None
