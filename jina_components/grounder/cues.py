"""What single words tell of a text: what it is about, and whether it denies something."""

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


class Cues(NamedTuple):
    """What single words of a text tell.

    Attributes:
        content: Terms that say what it is about, rough stems.
        is_denial: Whether it denies something.
    """

    content: frozenset[str]
    is_denial: bool


def read_cues(text: str) -> Cues:
    """The cues of a text; linear time. English, and the commonest words of German, French and Spanish."""
    return Cues(frozenset(terms(text)) - _COMMON, bool(_DENIAL.search(_NOT_DENIED.sub(" ", text))))
