"""A text checked sentence by sentence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import NamedTuple, TypeAlias

from jina_components.core.inputs import check_query, check_unicode
from jina_components.core.progress import progress_bar
from jina_components.core.quotable import quotable_spans
from jina_components.errors import InputError, WebError
from jina_components.grounder.claims import Topic, split_claims
from jina_components.grounder.gathering import Evidence
from jina_components.types import GroundedSentence, GroundedText, Grounding, Usage

MAX_TEXT = 1_000_000
"""Characters of the longest text."""

Check: TypeAlias = Callable[[str, str, Topic], Awaitable[tuple[Grounding | None, Usage]]]
"""Checks a sentence, given the text before it and what that was about: None where it claims nothing, and the tokens."""

# Characters of the text before a sentence that its check is given.
_BEFORE = 2000


class Sentence(NamedTuple):
    """Where a sentence stands in a text, and what the text before it was about."""

    start: int
    end: int
    topic: Topic


class Checked(NamedTuple):
    """A sentence that was checked, the tokens that it cost, and why its evidence could not be sought, if so."""

    sentence: GroundedSentence
    usage: Usage
    error: WebError | None = None


def check_text(text: str, *, what: str, limit: int = MAX_TEXT, instead: str = "check it in parts") -> None:
    """Refuse what is no text that can be checked.

    Raises:
        InputError: no string, a blank one, one over the limit, or one with lone surrogates.
    """
    check_query(text, what=what)
    if len(text) > limit:
        raise InputError(f"{what} has {len(text):,} characters, of {limit:,} at most: {instead}.")
    check_unicode(text, what=what)


async def ground_sentences(
    text: str, sentences: Sequence[Sentence], check: Check, *, at_a_time: int
) -> AsyncGenerator[Checked, None]:
    """The sentences of a text in order; some are checked at a time. Ends, and cancels the rest, when it is closed."""
    turns = asyncio.Semaphore(at_a_time)

    async def checked(start: int, end: int, topic: Topic) -> Checked:
        async with turns:
            try:
                grounding, usage = await check(text[start:end], text[max(start - _BEFORE, 0) : start], topic)
            except WebError as error:  # of one sentence, which is no reason to lose the others
                grounding, usage = _unsought(text[start:end], error), Usage()
                return Checked(GroundedSentence(start, end, grounding), usage, error)
        return Checked(GroundedSentence(start, end, grounding), usage)

    tasks = [asyncio.create_task(checked(*sentence)) for sentence in sentences]
    try:
        for task in tasks:
            yield await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def joined(
    text: str, found: AsyncGenerator[Checked, None], evidence: Evidence, *, total: int, show_progress: bool
) -> GroundedText:
    """The whole of a checked text.

    Args:
        text: The text.
        found: Its sentences.
        evidence: What was read for all of them.
        total: How many they are.
        show_progress: Draw a bar on stderr.

    Raises:
        WebError: of none of the sentences could evidence be sought.
    """
    sentences: list[Checked] = []
    async with aclosing(found):
        with progress_bar("Grounding", unit="sentence", total=total, show=show_progress) as bar:
            async for each in found:
                sentences.append(each)
                bar.update()
    groundings = [each.sentence.grounding for each in sentences if each.sentence.grounding is not None]
    errors = [each.error for each in sentences if each.error is not None]
    if errors and len(errors) == len(groundings):
        raise errors[0]
    warnings = dict.fromkeys([*evidence.warnings, *(note for each in groundings for note in each.warnings)])
    return GroundedText(
        text,
        tuple(each.sentence for each in sentences),
        sum(each.factuality for each in groundings) / len(groundings) if groundings else None,
        sum((each.usage for each in sentences), evidence.usage),
        tuple(warnings),
    )


def split_sentences(text: str) -> list[Sentence]:
    """The sentences of a text; linear time."""
    sentences: list[Sentence] = []
    topic = Topic()
    for start, end in quotable_spans(text):
        sentences.append(Sentence(start, end, topic))
        topic = split_claims(text[start:end], topic=topic).topic
    return sentences


def _unsought(sentence: str, error: WebError) -> Grounding:
    reason = f"Its evidence could not be sought: {error}"
    return Grounding(sentence, 0.5, False, "not enough evidence", reason, warnings=(reason,))
