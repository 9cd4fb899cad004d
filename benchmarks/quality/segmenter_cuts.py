"""What cuts break, told from the text and the spans alone, by the same rules for every splitter."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

Spans = Sequence[tuple[int, int]]

_NOTES = r"(?:\[\[?\\?\[?\^?[\w-]+\\?\]?\]?\](?:\([^()\s]*\))?|<[^<>]*>)*"
_STOP = re.compile(
    rf"""[.!?…:。！？｡؟।။።：][ \u00a0\u202f]?["'”’“»«›)\]*_`~」』）】》]*{_NOTES}["'”’“»«›)\]*_`~」』）】》]*$"""
)
# A line that is no prose: marked as a list, quote, code or heading, a row, a tag, a link target, an assignment.
_MARKED = re.compile(
    r"\s*(?:#{1,6}\s|[-*+•]\s|\d+[.)]\s|>|```|~~~|-{3}|\[[^\]]+\]: |\[?!\[|</?[a-zA-Z]|[\w.-]+\s*=\s|$)"
    r"|\t| {4}|[^\n]*[|│]"
)
_TAG_END = re.compile(r"(?:</?[a-zA-Z][^<>]*>|\\|  |\\n|[}\]],)$")
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)(?!.*`).*\n(?:.*\n)*?[ \t]*\1[ \t]*$", re.MULTILINE)
_TABLE = re.compile(r"(?:^[ \t]*\|.*\n){2,}", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} .+$", re.MULTILINE)
_UNBROKEN = re.compile(r"\S{80}$")
_WINDOW = 400


def audit(text: str, spans: Spans, limit: int, length: Callable[[str], int]) -> Counter[str]:
    """Counts for one text.

    `length` measures as the limit does. Of what comes in pairs (`fences` and `fences cut`), the first is the whole:

    - cuts: those between two chunks; `length`: of all chunks but the last; `longer`: chunks over the limit;
    - mid-sentence: cuts between which a sentence goes on. None does behind a stop or colon (closing quotes, notes and
      tags may follow), at an empty line, in code, in a run of 80 characters without white space, nor where the line
      that begins or ends is no prose: an item, quote, heading, row, tag, hard break, or is indented like code;
    - fences, tables: all of them; `fitting …`: those that the limit would let stay whole;
    - headings, orphans: after an orphan a chunk ends.
    """
    found: Counter[str] = Counter(cuts=max(len(spans) - 1, 0))
    cuts = [start for start, _ in spans[1:]]
    sizes = [length(text[start:end]) for start, end in spans]
    found["length"], found["longer"] = sum(sizes[:-1]), sum(size > limit for size in sizes)
    fences = [match.span() for match in _FENCE.finditer(text)]
    for (_, end), (start, _) in pairwise(spans):
        found["mid-sentence"] += not (_is_within(fences, start) or is_clean(text, end, start))
    for name, blocks in (("fences", fences), ("tables", [match.span() for match in _TABLE.finditer(text)])):
        for start, end in blocks:
            fits, cut = length(text[start:end]) <= limit, _is_cut(cuts, start, end)
            found.update({name: 1, f"{name} cut": cut, f"fitting {name}": fits, f"fitting {name} cut": fits and cut})
    for heading in _HEADING.finditer(text):
        following = bisect_right(cuts, heading.start())
        found["headings"] += not _is_within(fences, heading.start())
        found["orphans"] += (
            following < len(cuts)
            and not text[heading.end() : cuts[following]].strip()
            and not _is_within(fences, heading.start())
        )
    return found


def _is_within(blocks: Sequence[tuple[int, int]], place: int) -> bool:
    index = bisect_right(blocks, (place, 0)) - 1
    return index >= 0 and blocks[index][0] < place < blocks[index][1]


def _is_cut(cuts: Sequence[int], start: int, end: int) -> bool:
    following = bisect_right(cuts, start)
    return following < len(cuts) and cuts[following] < end


def is_clean(text: str, end: int, start: int) -> bool:
    """Whether no sentence goes on from a chunk that ends at `end` to one that starts at `start`."""
    before, after = text[max(end - _WINDOW, 0) : max(end, start)], text[start : start + _WINDOW]
    space = before[len(before.rstrip()) :] + after[: len(after) - len(after.lstrip())]
    last_line = before.rstrip().rsplit("\n", 1)[-1]
    if space.count("\n") > 1 or _STOP.search(last_line) or _UNBROKEN.search(before) or after.startswith("<"):
        return True
    if _TAG_END.search(before.rstrip("\n") if "\n" in space else before.rstrip()):
        return True
    return "\n" in space and bool(_MARKED.match(after.lstrip("\n")) or _MARKED.match(last_line))
