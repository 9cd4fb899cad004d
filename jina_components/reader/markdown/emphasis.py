"""Delimiters of emphasis where CommonMark takes them for such."""

from __future__ import annotations

import re

from jina_components.reader.markdown import marks as m
from jina_components.reader.markdown.escape import is_punctuation
from jina_components.reader.markdown.style import Style

_RUN = re.compile("[\ufdd0-\ufdd5]+")
_OPENS = frozenset((m.EMPHASIS_OPENS, m.STRONG_OPENS, m.STRIKE_OPENS))
_PARTNER = {m.EMPHASIS_OPENS: m.EMPHASIS_CLOSES, m.STRONG_OPENS: m.STRONG_CLOSES, m.STRIKE_OPENS: m.STRIKE_CLOSES}
_BOTH = {m.EMPHASIS_OPENS, m.STRONG_OPENS}
_BLANK = "\ufdd9"  # stands for a delimiter that went
_MOST_MOVED = 8  # characters of punctuation


def hug(line: str, style: Style) -> str:
    """`line` with each delimiter where it opens or closes.

    Punctuation that is in the way moves out of the marks, and marks that cannot stand beside a letter go. (In
    `**“so”**it` the last delimiter closes nothing, for it stands between punctuation and a letter.)
    """
    runs = list(_RUN.finditer(line))
    # A run of three that opens both kinds pairs with whatever could close: there, nothing may be in doubt.
    combined = any(set(run[0]) >= _BOTH for run in runs)
    doubtful = {run for run in runs if combined and _in_doubt(line, run.start(), run.end())}
    bad = [run for run in runs if run in doubtful or not _stands(line, run.start(), run.end(), style)]
    if not bad:
        return line
    chars = list(line)
    for run in bad:
        if run in doubtful:
            for at in range(run.start(), run.end()):
                _drop(chars, at)
        else:
            _repair(chars, run.start(), run.end(), style)
    return "".join(chars).replace(_BLANK, "")


def _stands(line: str, start: int, end: int, style: Style) -> bool:
    """Whether each delimiter of the run does what it should."""
    before = line[start - 1] if start else " "
    after = line[end] if end < len(line) else " "
    opens = line[start] in _OPENS
    if (line[end - 1] in _OPENS) != opens:
        return False  # one closes and another opens at once
    outside, inside = (before, after) if opens else (after, before)
    if outside.isspace() or is_punctuation(outside):
        return True
    return not is_punctuation(inside) and not _shuns_letters(line[start:end], style)


def _in_doubt(line: str, start: int, end: int) -> bool:
    """Whether the run could open as well as close."""
    before = line[start - 1] if start else " "
    after = line[end] if end < len(line) else " "
    return not before.isspace() and not after.isspace() and is_punctuation(before) == is_punctuation(after)


def _shuns_letters(run: str, style: Style) -> bool:
    """Whether the run cannot stand beside a letter: underscores, or one sign around another, which is punctuation."""
    signs = {delimiter[0] for delimiter in _delimiters(run, style)}
    return "_" in signs or len(signs) > 1


def _delimiters(run: str, style: Style) -> list[str]:
    kinds = {m.EMPHASIS_OPENS: style.emphasis, m.STRONG_OPENS: style.strong, m.STRIKE_OPENS: "~~"}
    kinds |= {_PARTNER[opens]: delimiter for opens, delimiter in kinds.items()}
    return [kinds[char] for char in run]


def _repair(chars: list[str], start: int, end: int, style: Style) -> None:
    run = [char for char in chars[start:end] if char != _BLANK]  # some may have gone with their partners
    if not run:
        return
    chars[start:end] = run + [_BLANK] * (end - start - len(run))
    end = start + len(run)
    opens = run[0] in _OPENS
    if (run[-1] in _OPENS) != opens:
        # What closes here is kept if it can do so before the text that follows.
        for at in range(start, end):
            if chars[at] in _OPENS:
                _drop(chars, at)
        end = next(at for at in range(start, end) if chars[at] == _BLANK)
        around = "".join(chars[start - 1 : end]) + next((char for char in chars[end:] if char != _BLANK), " ")
        if _stands(around, 1, len(around) - 1, style):
            return
    elif not _shuns_letters("".join(run), style) and _move(chars, start, end, opens=opens):
        return
    for at in range(start, end):
        _drop(chars, at)


def _move(chars: list[str], start: int, end: int, *, opens: bool) -> bool:
    """Move the run over the punctuation inside of it; False if there is more than that."""
    run = chars[start:end]
    if opens:
        stop = end
        while stop < len(chars) and stop - end < _MOST_MOVED and _is_text_punctuation(chars[stop]):
            stop += 1
        if stop == len(chars) or not _is_word(chars[stop]):
            return False
        chars[start:stop] = chars[end:stop] + run
        return True
    first = start
    while first and start - first < _MOST_MOVED and _is_text_punctuation(chars[first - 1]):
        first -= 1
    if not first or not _is_word(chars[first - 1]):
        return False
    chars[first:end] = run + chars[first:start]
    return True


def _is_text_punctuation(char: str) -> bool:
    return is_punctuation(char) and not "\ufdd0" <= char <= "\ufdef"


def _is_word(char: str) -> bool:
    return not char.isspace() and not is_punctuation(char)


def _drop(chars: list[str], at: int) -> None:
    """Blank out a delimiter and its partner."""
    char = chars[at]
    if char in _PARTNER:
        partner, step = _PARTNER[char], 1
    else:
        partner, step = next((opens for opens, closes in _PARTNER.items() if closes == char), ""), -1
    if not partner:
        return  # it went with its partner
    chars[at] = _BLANK
    while 0 <= (at := at + step) < len(chars):
        if chars[at] == partner:
            chars[at] = _BLANK
            return
