"""What a statement claims, in pieces that can be checked one by one, by rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from jina_components.core.quotable import quotable_spans
from jina_components.grounder.clauses import clauses_of, opening_pronoun, resolve_pronoun, subject_of
from jina_components.grounder.english import (
    AUXILIARIES,
    COMMANDS,
    DETERMINERS,
    NOUNS_TOO,
    OBJECTS,
    PRONOUNS,
    QUESTION_WORDS,
    VERBS,
)

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_QUESTION_MARKS = ("?", "？", "؟")
_CLOSERS = "\"'”’»)]*_ "
_OF_THE_SPEAKER = re.compile(
    r"(i|we)(['’](m|re)| am| are| hope| wish| apologi[sz]e| (can|could|would|will|am|are)? ?(be )?(happy|glad|sorry))\b"
    r"|let me know\b|feel free\b|of course\b|hope this\b|here (is|are)\b[^.]*:$|as an ai\b",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"(hi|hello|hey|greetings|welcome|goodbye|bye|cheers|congratulations|sorry|sure|certainly|absolutely|okay|ok|great|yes"
    r"|no|dear|good (morning|afternoon|evening|night|day))"
    r"( (there|all|everyone|everybody|thing|question|you|to you|back|again|sir|madam|friends?))*[\s!.,…]*"
    r"|thank you\b.*|thanks\b(?! to\b).*",
    re.IGNORECASE | re.DOTALL,
)
# Longer ones say something, whether or not the rules know their verb.
_FRAGMENT = 4


class Topic(NamedTuple):
    """What a text is about, as far as it was read.

    Attributes:
        subject: What a pronoun stands for that begins the next clause; empty where that is not plain, as the last two
            clauses had different subjects.
        last: The subject of the last clause that had one of its own; empty if it is not known, None if none had one.
    """

    subject: str = ""
    last: str | None = None

    def after(self, clause: str, resolved: str) -> Topic:
        """The topic behind one more clause, given its words and those with a name in the place of its pronoun."""
        pronoun = opening_pronoun(clause)
        if pronoun and not PRONOUNS[pronoun]:
            return self  # it goes on about what it went on about, plain or not
        own = "" if pronoun and resolved == clause else subject_of(resolved)
        last = (self.subject or None) if self.last is None else self.last
        if last is None:
            return Topic(own, own)
        # "Marie Curie was … Curie moved …" are about one.
        is_same = bool(own) and set(own.lower().split()) <= set(last.lower().split())
        return Topic(last, last) if is_same else Topic("", own)


_NO_TOPIC = Topic()


@dataclass(frozen=True, slots=True)
class Claim:
    """A checkable claim of a statement.

    Attributes:
        text: The claim, readable alone.
        start, end: The stretch of the statement that makes it, in code points.
    """

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What a statement claims.

    Attributes:
        claims: Its claims, in order.
        reason: Of a statement without one, why there is none, as a sentence; else empty.
        topic: What they are about, with the text before them.
    """

    claims: tuple[Claim, ...]
    reason: str = ""
    topic: Topic = _NO_TOPIC


def split_claims(statement: str, *, topic: Topic = _NO_TOPIC) -> Claims:
    """The claims of a statement: its sentences, and their clauses where it is plain how they divide.

    A clause without a subject gets that of the clause before it, and one that begins with a pronoun what the sentences
    before it were about, if that was one and the same. In doubt a sentence stays whole and as it is. What is a
    question, a command, a greeting or a fragment claims nothing. The rules know English; sentences of other languages
    stay whole.

    Args:
        statement: The statement; Markdown is understood.
        topic: What the text before it was about.
    """
    found: list[Claim] = []
    reasons: list[str] = []
    for start, end in quotable_spans(statement):
        sentence = statement[start:end]
        if reason := claims_nothing(sentence):
            reasons.append(reason)
            continue
        for clause in clauses_of(sentence):
            text = resolve_pronoun(clause.text, topic.subject)
            topic = topic.after(clause.text, text)
            found.append(Claim(text, start + clause.start, start + clause.end))
    return Claims(tuple(found), "" if found else _joined(reasons), topic)


def claims_nothing(sentence: str) -> str:
    """Why a sentence claims nothing that could be checked, as a sentence; or empty where it does."""
    written = _WORD.findall(sentence)
    words = [word.lower().replace("’", "'") for word in written]
    if not words:
        return "It holds no words."
    if sentence.rstrip(_CLOSERS).endswith(_QUESTION_MARKS) or _asks(words):
        return "It is a question, and claims nothing that could be checked."
    if _OF_THE_SPEAKER.match(sentence) or _GREETING.fullmatch(sentence):
        return "It speaks to the reader, and claims nothing that could be checked."
    if _commands(words) and not _is_title(written):
        return "It is a command, and claims nothing that could be checked."
    if sentence.startswith(("|", "```", "~~~")):
        return "It is a table or code, which says nothing that can be read alone."
    if _is_fragment(sentence, words):
        return "It is no whole sentence, and claims nothing that could be checked."
    return ""


def _asks(words: list[str]) -> bool:
    """Whether a sentence has the order of words of a question, though no question mark."""
    return len(words) > 2 and words[0] in QUESTION_WORDS and words[1] in AUXILIARIES


def _commands(words: list[str]) -> bool:
    if words[0] in NOUNS_TOO:
        return len(words) > 1 and words[1] in OBJECTS
    return words[0] in COMMANDS and not VERBS.intersection(words[1:3])


def _is_title(words: list[str]) -> bool:
    """Whether a name begins a sentence: "Make It or Break It was a series"."""
    return len(words) > 1 and words[0][0].isupper() and words[1][0].isupper()


def _is_fragment(sentence: str, words: list[str]) -> bool:
    """Whether a sentence is but a name or a noun; in doubt it is not."""
    if not any("a" <= letter <= "z" for letter in sentence.lower()):
        return False  # of another script
    if len(words) == 1:
        return True
    is_noun = words[0] in DETERMINERS and len(words) <= _FRAGMENT and sentence[-1].isalnum()
    return is_noun and not any(word in VERBS or word.endswith("s") for word in words[2:])


def _joined(reasons: list[str]) -> str:
    unique = list(dict.fromkeys(reasons))
    if not unique:
        return "It is no whole sentence, and claims nothing that could be checked."
    return unique[0] if len(unique) == 1 else "It claims nothing that could be checked."
