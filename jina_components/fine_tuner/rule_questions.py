"""Questions by rules, passage by passage."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from jina_components.fine_tuner.passages import Piece
from jina_components.fine_tuner.questions import LANGUAGES, Corpus, Question, opening_title, questions_of, topic_of
from jina_components.fine_tuner.slices import in_slices


async def ask_rules(pieces: Sequence[Piece], *, seed: int, show_progress: bool = False) -> list[tuple[Question, int]]:
    """Questions with the positions of their passages; what a document begins with tells what all of it is about.

    Args:
        pieces: Passages, those of a document in order and together.
        seed: Which wordings are taken.
        show_progress: Draw a bar on stderr.
    """
    corpus = await asyncio.to_thread(Corpus, [piece.passage.text for piece in pieces])
    asked: list[tuple[Question, int]] = []
    title = topic = ""

    def ask(places: range) -> None:
        nonlocal title, topic
        for at in places:
            piece = pieces[at]
            text, language = piece.passage.text, LANGUAGES.get(piece.passage.language)
            if piece.number == 0:
                title = piece.title or (opening_title(text, language) if language else "")
                topic = topic_of(text, title=title, language=language, corpus=corpus) if language else ""
            found = questions_of(
                text,
                corpus=corpus,
                title=title,
                headings=piece.headings,
                topic=topic if topic.lower() in text.lower() else "",
                language=piece.passage.language,
                seed=seed,
            )
            # The title asks for the document, and what the document begins with says what it is.
            asked.extend((each, at) for each in found if piece.number == 0 or each.kind != "title")

    await in_slices(ask, len(pieces), "Asking", show=show_progress)
    return asked
