"""The headings that places of a text stand under."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jina_components.segmenter.structure import Block


class Trails:
    """Reads blocks while they pass, and tells their headings afterwards.

    Args:
        structure: The blocks.
    """

    def __init__(self, structure: Iterable[Block]) -> None:
        self._structure = iter(structure)
        self._seen: list[Block] = []

    def __iter__(self) -> Iterator[Block]:
        """The blocks, passed on."""
        for block in self._structure:
            if block.headings:
                self._seen.append(block)
            yield block

    def at(self, positions: Iterable[int]) -> Iterator[str]:
        """For each of the ascending positions, the headings it stands under: `Install > Linux`, or empty.

        A position within headings stands under all of them up to the text that they head.
        """
        for _ in self:  # those that nobody asked for
            pass
        upcoming = iter(self._seen)
        block = next(upcoming, None)
        trail: dict[int, str] = {}
        name = ""
        for position in positions:
            while block and block.start <= position:
                for level, title in block.headings:
                    trail = {above: of for above, of in trail.items() if above < level} | {level: title}
                block = next(upcoming, None)
                name = " > ".join(title for title in trail.values() if title)
            yield name  # one string for all chunks under it
