"""What the rules know of a language: a row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

Templates: TypeAlias = tuple[str, ...]
Compiled: TypeAlias = tuple[tuple[re.Pattern[str], Templates], ...]


class Cue(NamedTuple):
    """Words that tell what a passage answers about its topic.

    Attributes:
        pattern: The words.
        templates: What they answer.
        within: What passages of the domain have somewhere, where the words mean that in one domain alone.
    """

    pattern: str
    templates: Templates
    within: str = ""


@dataclass(frozen=True, kw_only=True)
class Language:
    """How a language names things and asks about them.

    Templates end in `?` or `？` where they are whole questions; others are words for a search. `{t}` is the topic of a
    passage, `{d}` what is defined with its article; `{0}`, `{1}` … are groups of a pattern.

    Attributes:
        code: ISO 639-1.
        stop_words: Words that no topic begins or ends with, and that tell languages apart.
        verbs: Words between a sentence's subject and what it says of it, by which the subject is found.
        determiners: Words in front of a noun; what often stands right before one is a verb.
        joiners: Stop words that may stand within a topic: "quality of life".
        pronouns: Words by which a sentence leans on another one.
        definition: Pattern at the beginning of a sentence; its group `t` is what is defined.
        defines: What is asked of something defined.
        titles: What is asked of a long title, as of a paper.
        cues: What a passage answers about its topic.
        statements: Patterns from the beginning of a sentence on, whose groups are the question's own words.
        clauses: The same anywhere in a sentence.
        lead_ins: Pattern at the beginning of a title that nobody would type: "a note on the".
        participles: Pattern of words that no name ends with.
        gaps: What may stand between the words of a name; without a space, words are runs of one script.
        subject: Pattern at the beginning of a sentence, whose group `t` is what it speaks of, for want of `verbs`.
        opening: What a written question begins with: "¿".
        closing: What it ends with.
    """

    code: str
    stop_words: frozenset[str]
    verbs: frozenset[str]
    definition: str
    defines: Templates
    cues: tuple[Cue, ...]
    titles: Templates = ("{t}",)
    determiners: frozenset[str] = frozenset()
    joiners: frozenset[str] = frozenset()
    pronouns: frozenset[str] = frozenset()
    statements: tuple[tuple[str, Templates], ...] = ()
    clauses: tuple[tuple[str, Templates], ...] = ()
    lead_ins: str = ""
    participles: str = ""
    gaps: Templates = (" ", "-")
    subject: str = ""
    opening: str = ""
    closing: str = "?"

    @cached_property
    def defining(self) -> re.Pattern[str]:
        """`definition`, compiled."""
        return re.compile(self.definition, re.IGNORECASE)

    @cached_property
    def cued(self) -> tuple[tuple[re.Pattern[str], Templates, re.Pattern[str]], ...]:
        """`cues`, compiled."""
        return tuple(
            (re.compile(cue.pattern, re.IGNORECASE), cue.templates, re.compile(cue.within, re.IGNORECASE))
            for cue in self.cues
        )

    @cached_property
    def stated(self) -> Compiled:
        """`statements`, compiled."""
        return _compiled(self.statements)

    @cached_property
    def phrased(self) -> Compiled:
        """`clauses`, compiled."""
        return _compiled(self.clauses)

    @cached_property
    def unfinished(self) -> re.Pattern[str]:
        """`participles`, compiled; matches nothing where there are none."""
        return re.compile(self.participles or r"(?!)")

    @cached_property
    def speaking(self) -> re.Pattern[str]:
        """`subject`, compiled; matches nothing where there is none."""
        return re.compile(self.subject or r"(?!)")

    @cached_property
    def leading(self) -> re.Pattern[str]:
        """`lead_ins`, compiled; matches nothing where there are none."""
        return re.compile(self.lead_ins or r"(?!)", re.IGNORECASE)


def _compiled(rules: Sequence[tuple[str, Templates]]) -> Compiled:
    return tuple((re.compile(pattern, re.IGNORECASE), templates) for pattern, templates in rules)


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())
