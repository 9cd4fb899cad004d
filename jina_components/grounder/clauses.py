"""A sentence into the clauses that make claims of their own: "She was born in Rome and died in Pisa" makes two."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from jina_components.grounder.english import (
    AUXILIARIES,
    BEFORE_PLACES,
    DETERMINERS,
    INTRANSITIVE,
    OTHER_PASTS,
    PASTS,
    PRESENTS,
    PRONOUNS,
    SUBORDINATORS,
    VERBS,
)

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_JOINT = re.compile(
    r"(?P<comma>,)?\s+(?:and|but)\s+(?:(?:also|later|then|subsequently|eventually|finally)\s+)?|;\s+(?:and\s+)?",
    re.IGNORECASE,
)
# In these, words belong together that a joint would part.
_OPEN = re.compile(r"[\"“”„«»()\[\]{}`]|(?<!\w)'|'(?!\w)")
_EXPLETIVE = re.compile(r"it (is|was|has been|seems|appears)\b.* (that|to|whether)\b", re.IGNORECASE)
# No sentence that is longer is one that rules should part.
_LONGEST = 1000
_SHORT = 4
_SUBJECT_WORDS = 8
_CLAUSE_SUBJECT_WORDS = 5
_NO_ENDS = frozenset(("and", "or", "but", "of", "in", "with", "for", "to", "by", "there"))
_OTHERS = frozenset(("he", "she", "they"))
_OF_PERSONS = frozenset(("he", "she", "his", "her"))
_IN_NAMES = frozenset("of and the de la van von der in on for to".split())  # noqa: SIM905
_PERFECT = frozenset(("has", "have", "had", "hasn't", "haven't", "hadn't"))


class Clause(NamedTuple):
    """A clause: what it says, and the stretch of the sentence that says it."""

    text: str
    start: int
    end: int


class _Head(NamedTuple):
    """What a clause begins with: the subject, up to the finite verb."""

    subject: str
    verb: str


def clauses_of(sentence: str) -> list[Clause]:
    """The clauses of a sentence, in order; the whole sentence where the rules are not sure."""
    whole = [Clause(sentence, 0, len(sentence))]
    head = _head(sentence) if len(sentence) <= _LONGEST else None
    if head is None or _OPEN.search(sentence):
        return whole
    clauses: list[Clause] = []
    start, text_before = 0, ""
    for joint in _JOINT.finditer(sentence):
        before, behind = sentence[start : joint.start()], sentence[joint.end() :]
        lead = _lead(head, before, behind, own=joint[0][0] in ",;")
        if lead is None:
            continue
        clauses.append(Clause(_closed(text_before + before), start, joint.start()))
        start, text_before = joint.end(), lead
        if lead == "":
            head = _head(behind) or head
    if not clauses:
        return whole
    clauses.append(Clause(text_before + sentence[start:], start, len(sentence)))
    return [_with_named_subject(clause, clauses[0]) for clause in clauses]


def subject_of(sentence: str) -> str:
    """What a pronoun behind a sentence stands for: its subject, if that is a name or a definite noun; else empty.

    Empty also where the sentence names somebody else, for whom the pronoun may stand as well.
    """
    head = _head(sentence)
    if head is None or _has_rival(sentence, head):
        return ""
    first, *others = head.subject.split()
    if first.lower() in PRONOUNS or (first.lower() in DETERMINERS and first.lower() != "the"):
        return ""
    return head.subject if first[0].isupper() and (others or first.lower() != "the") else ""


def opening_pronoun(sentence: str) -> str:
    """The pronoun that a sentence begins with, in small letters; or empty."""
    found = _WORD.match(sentence)
    return found[0].lower() if found is not None and found[0].lower() in PRONOUNS else ""


def resolve_pronoun(sentence: str, subject: str) -> str:
    """A sentence with `subject` in the place of the pronoun it begins with; as it is, where it has none."""
    pronoun = opening_pronoun(sentence)
    if not subject or not pronoun or _EXPLETIVE.match(sentence):
        return sentence
    if pronoun in _OF_PERSONS and subject.lower().startswith("the "):
        return sentence
    ending = PRONOUNS[pronoun]
    if not ending and _head(sentence) is None:
        return sentence
    return f"{subject}{ending}{sentence[len(pronoun) :]}"


def _head(clause: str) -> _Head | None:
    """The subject and the verb of a clause that begins with its subject; None where that is not plain."""
    for number, match in enumerate(_WORD.finditer(clause)):
        word = match[0].lower().replace("’", "'")
        # A name may be spelt like one: the United States.
        if (word in SUBORDINATORS and (not number or match[0].islower())) or number > _SUBJECT_WORDS:
            return None
        if number and (word in VERBS or _is_past(match[0])):
            subject = clause[: match.start()].strip()
            return _Head(subject, word) if _is_plain(subject) and not _is_participle(word, clause) else None
        if word in AUXILIARIES:
            return None  # a question or a command
    return None


def _has_rival(sentence: str, head: _Head) -> bool:
    """Whether a sentence names somebody or something besides its subject, other than a place or a date."""
    words = [match[0] for match in _WORD.finditer(sentence, len(head.subject))]
    return any(
        name[0].isupper() and before.islower() and before not in BEFORE_PLACES for before, name in pairwise(words)
    )


def _is_past(word: str) -> bool:
    return word.isalpha() and word.islower() and len(word) > _SHORT and word.endswith("ed")


def _is_participle(verb: str, clause: str) -> bool:
    """Whether a past may be but a participle, as another verb follows: "a book published in 1990 was sold"."""
    if verb in AUXILIARIES | PASTS | INTRANSITIVE | PRESENTS:
        return False
    joint = _JOINT.search(clause)
    words = [match[0] for match in _WORD.finditer(clause[: joint and joint.start()])]
    behind = words[words.index(verb) + 1 :] if verb in words else words
    return any(word in AUXILIARIES or word in OTHER_PASTS or _is_past(word) for word in behind)


def _is_plain(subject: str) -> bool:
    words = subject.split()
    last = words[-1].lower()
    if set(",;:") & set(subject) or not subject[0].isalnum():
        return False
    # A verb that is not known may be in it: "Issa Rae features songs written …".
    if any(name[0].isupper() and word.islower() and word not in _IN_NAMES for name, word in pairwise(words[1:])):
        return False
    return last not in _NO_ENDS and last not in DETERMINERS and not last.endswith("ly")


def _lead(head: _Head, before: str, behind: str, *, own: bool) -> str | None:
    """What must stand before the words behind a joint to make them a clause; None where they make none."""
    words = [match[0].lower().replace("’", "'") for match in _WORD.finditer(behind)][:3]
    said = [match[0] for match in _WORD.finditer(before)]
    if len(words) < 2 or SUBORDINATORS.intersection(said) or words[0] in SUBORDINATORS:
        return None
    if _OTHERS.intersection(said[1:]):
        return None
    if head.verb not in said and not VERBS.intersection(said):
        return None
    if own and _begins_clause(behind):
        is_unclear = words[0] in PRONOUNS and head.subject.lower() not in PRONOUNS and not subject_of(before)
        return None if is_unclear else ""
    return f"{head.subject} " if _is_finite(words, head.verb) else None


def _is_finite(words: list[str], governing: str) -> bool:
    """Whether the first of some words is a finite verb, rather than a participle under the verb before."""
    first = words[0]
    if first in AUXILIARIES or first in PASTS:
        return True
    if first in PRESENTS:
        return governing in PRESENTS or governing in {"is", "are", "has", "have"}
    if first in INTRANSITIVE:
        return governing not in _PERFECT
    return (first in OTHER_PASTS or _is_past(first)) and governing not in AUXILIARIES and words[1] != "by"


def _begins_clause(text: str) -> bool:
    """Whether a text begins with a subject and its verb."""
    head = _head(text)
    if head is None or len(head.subject.split()) > _CLAUSE_SUBJECT_WORDS:
        return False
    first = head.subject.split()[0]
    return first[0].isupper() or first.lower() in PRONOUNS or first.lower() in DETERMINERS


def _with_named_subject(clause: Clause, first: Clause) -> Clause:
    """A clause whose pronoun is replaced by what the first clause is about."""
    return clause if clause is first else clause._replace(text=resolve_pronoun(clause.text, subject_of(first.text)))


def _closed(text: str) -> str:
    return text if text.endswith((".", "!", "…")) else f"{text}."
