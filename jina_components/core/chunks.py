"""Chunks back into the text they were cut from."""

from __future__ import annotations

from collections.abc import Sequence

from jina_components.types import Document


def join_chunks(chunks: Sequence[Document], *, start: int = 0) -> str:
    """The text that chunks were cut from, from the offset `start` on, by the `start` of their metadata.

    Stretches between them, of which there is no chunk, were blank and become line ends. Chunks may overlap. The joined
    text keeps their offsets.
    """
    pieces: list[str] = []
    end = start
    for chunk in sorted(chunks, key=lambda chunk: int(chunk.metadata["start"])):
        begin = int(chunk.metadata["start"])
        pieces += ["\n" * (begin - end), chunk.text[max(end - begin, 0) :]]
        end = max(end, begin + len(chunk.text))
    return "".join(pieces)
