"""Where a text is cut: from each beginning, the best place within the limit."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import islice

from jina_components.core import boundaries as at
from jina_components.core.boundaries import Finder
from jina_components.errors import InputError
from jina_components.segmenter.rulers import Ruler
from jina_components.segmenter.structure import Block, blocks

# What a place is worth, as a share of the chunk: a paragraph wins over a sentence up to 0.25 chunks further.
# Places of blocks are indexed by level: none, headings 1 to 6, RULE, BLOCK, ITEM, NESTED, LINE.
_BLOCK_WORTH = (0.0, 1.05, 1.0, 0.96, 0.92, 0.89, 0.86, 0.82, 0.75, 0.58, 0.54, 0.7)
_MOST_WORTH = max(_BLOCK_WORTH)
_SENTENCE_WORTH = 0.45
_BELOW_SENTENCES: tuple[tuple[float, Finder], ...] = (
    (0.3, at.loose_sentences),
    (0.08, at.clauses),
    (0.02, at.words),
    (0.0, at.parts),
)
_RUNNING = ((0.6, at.records), (_SENTENCE_WORTH, at.sentences), (0.12, at.lines), *_BELOW_SENTENCES)
_VERBATIM = ((0.75, at.gaps), (0.6, at.records), (0.5, at.lines), *_BELOW_SENTENCES[1:])
# A chunk as full as this is full enough: more is worth little, a better place much. Found by measurement: chunks
# that end at better places are found and answer better, and smaller ones cost less.
_ENOUGH, _MORE = 0.7, 0.1
# White space behind the limit that is looked past, for a block which begins there.
_LOOK_AHEAD = 64
# Beginnings tried for an overlap: the first may be too early once its tokens are counted alone.
_TRIES = 8


class Cutter:
    """Cuts one text, from its beginning to its end.

    Greedy: among the places within the limit it takes the one with the highest sum of worth and fill. A
    heading stays with what follows it, and a verbatim block that fits into a chunk is not cut. Each chunk
    takes time in proportion to its length, whatever the text.

    Args:
        text: The text.
        ruler: Measures it.
        limit: Longest chunk.
        overlap: The most that a chunk may share with the one before.
        min_size: Shortest chunk, where the text and the limit allow for it.
        structure: The blocks of the text in order; None for those of Markdown.
        extra: What places are worth more than by their kind, such as where the topic changes: 0 to 1, a share
            of the chunk. A place that is no block counts as a sentence.
    """

    def __init__(
        self,
        text: str,
        ruler: Ruler,
        *,
        limit: int,
        overlap: int = 0,
        min_size: int = 0,
        structure: Iterable[Block] | None = None,
        extra: Mapping[int, float] | None = None,
    ) -> None:
        self._text = text
        self._ruler = ruler
        self._limit = limit
        self._overlap = overlap
        self._min_size = min_size
        self._extra = extra or {}
        self._extra_places = sorted(self._extra)
        self._most_worth = _MOST_WORTH + max(self._extra.values(), default=0.0)
        self._upcoming = iter(blocks(text) if structure is None else structure)
        self._next = next(self._upcoming, None)
        self._near: deque[Block] = deque()  # the block that holds the start of the chunk, and those read after it

    def cuts(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Start and end of each chunk of `text[start:stop]`; to be called for ascending stretches.

        Raises:
            InputError: one character alone is over the limit.
        """
        done = start
        while done < stop:
            end = self._end(start, done, stop)
            if end is None:
                start = done
                continue
            yield start, end
            start, done = self._overlapping_start(start, end) if end < stop else end, end

    def _end(self, start: int, done: int, stop: int) -> int | None:
        """Where the chunk from `start` ends, beyond `done`; None when only one from `done` can."""
        size = self._limit
        while size >= 0 and (reach := min(self._ruler.reach(start, size), stop)) > done:
            end = stop if reach == stop else self._best(start, done, self._room_behind(start, reach, stop), stop)
            if end is None:
                return None
            excess = self._ruler.size_alone(start, end) - self._limit
            if excess <= 0:
                return end
            size -= max(excess, size // 32)  # a cut inside a word can make more tokens of it
        return None if start < done else self._one_character(start)

    def _room_behind(self, start: int, reach: int, stop: int) -> int:
        """How far the chunk may reach so that what is left is not too short, if both can be long enough."""
        if not self._min_size:
            return reach
        latest = self._ruler.back(stop, self._min_size)
        return latest if self._ruler.reach(start, self._min_size) <= latest < reach else reach

    def _best(self, start: int, done: int, reach: int, stop: int) -> int | None:
        ahead = self._past_space(reach, stop)
        near = self._blocks_from(start, ahead)
        last = near[-1]
        floor = max(done, min(self._ruler.reach(start, self._min_size), reach) - 1) if self._min_size else done
        inside = max(floor, self._keep(last))
        best, score = self._best_block(near, start, floor, reach)
        best, score = self._best_extra(start, inside, reach, (best, score))
        for worth, finder in _VERBATIM if last.end else _RUNNING:
            low = max(inside, _place_of(score - worth, start, reach))
            if low < ahead and (found := self._last(finder(self._text, low, ahead), start)):
                best, score = found, worth + _fill(found, start, reach)
        if best:
            return self._clipped(best, done, reach)
        return self._anywhere(inside if inside < reach else floor, floor, reach) if start == done else None

    def _best_block(self, near: list[Block], start: int, floor: int, reach: int) -> tuple[int, float]:
        best, score = 0, -1.0
        for block in reversed(near):
            fill = _fill(block.start, start, reach)
            if block.start <= floor or fill + self._most_worth <= score:
                break
            worth = _BLOCK_WORTH[block.level] + self._extra.get(block.start, 0.0)
            if fill + worth > score:
                best, score = block.start, fill + worth
        return best, score

    def _best_extra(self, start: int, inside: int, reach: int, best: tuple[int, float]) -> tuple[int, float]:
        low, high = bisect_right(self._extra_places, inside), bisect_right(self._extra_places, reach)
        for place in self._extra_places[low:high]:
            score = _SENTENCE_WORTH + self._extra[place] + _fill(place, start, reach)
            if score > best[1] and not at.joins(self._text, start, place):
                best = place, score
        return best

    def _clipped(self, position: int, done: int, reach: int) -> int:
        if position <= reach:
            return position
        return reach - 1 if reach - 1 > done and at.joins(self._text, done, reach) else reach

    def _keep(self, block: Block) -> int:
        fits = block.end and self._ruler.size(block.start, block.end) <= self._limit
        return block.end if fits else block.keep

    def _anywhere(self, low: int, floor: int, reach: int) -> int:
        """The last place beyond `low`; beyond `floor` where a user-perceived character would be parted else."""
        for finder in (at.lines, at.words, at.parts):
            if found := self._last(finder(self._text, low, reach), low):
                return found
        place = at.last_grapheme(self._text, low, reach)
        return at.last_grapheme(self._text, floor, reach) if at.joins(self._text, floor, place) else place

    def _one_character(self, start: int) -> int:
        size = self._ruler.size_alone(start, start + 1)
        if size > self._limit:
            raise InputError(
                f"The character {self._text[start]!r} at {start} alone has {size} tokens, "
                f"more than a chunk of {self._limit} may have: raise max_chunk_length."
            )
        return start + 1

    def _last(self, positions: Iterable[int], start: int) -> int:
        found = 0
        for position in positions:
            if not at.joins(self._text, start, position):
                found = position
        return found

    def _past_space(self, reach: int, stop: int) -> int:
        following = self._text[reach : min(reach + _LOOK_AHEAD, stop)]
        ahead = reach + len(following) - len(following.lstrip())
        # White space at the very end shall not become a chunk of its own.
        return reach if ahead == stop else ahead

    def _blocks_from(self, start: int, ahead: int) -> list[Block]:
        """The block that holds `start`, and those that begin up to `ahead`."""
        while self._next and self._next.start <= ahead:
            self._near.append(self._next)
            self._next = next(self._upcoming, None)
        while len(self._near) > 1 and self._near[1].start <= start:
            self._near.popleft()
        return [block for block in self._near if block.start <= ahead] or [Block(start, 0, start)]

    def _overlapping_start(self, start: int, end: int) -> int:
        """The first good beginning that shares no more than the overlap; `end` where there is none."""
        if not self._overlap:
            return end
        low = max(self._ruler.back(end, self._overlap) - 1, start)
        near = self._blocks_from(low, end)
        first = merge(
            (block.start for block in near if low < block.start < end),
            (at.lines if near[0].end else at.sentences)(self._text, low, end - 1),
        )
        for positions in (first, at.words(self._text, low, end - 1)):
            for position in islice(positions, _TRIES):
                shared = self._ruler.size_alone(position, end)
                if shared <= self._overlap and not at.joins(self._text, start, position):
                    return position
        return end


def _fill(place: int, start: int, reach: int) -> float:
    """What it is worth to go as far as `place`."""
    fill = (place - start) / (reach - start)
    return fill if fill < _ENOUGH else _ENOUGH + (fill - _ENOUGH) * _MORE


def _place_of(fill: float, start: int, reach: int) -> int:
    """Up to which place it is worth no more."""
    share = fill if fill < _ENOUGH else _ENOUGH + (fill - _ENOUGH) / _MORE
    return start + int(share * (reach - start))
