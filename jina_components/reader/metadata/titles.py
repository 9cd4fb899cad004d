"""The title of a page without the name of its site."""

from __future__ import annotations

import re
from collections.abc import Sequence

# As most sites set them between a headline, sections and their own name.
_SEPARATOR = re.compile(r"\s++(?:[|\-–—―\\/>»«·•:~‹›⋆]|::|&raquo;)\s++")
_COLON = re.compile(r":\s++")
_LETTERS = re.compile(r"[\W_]+")
_LONGEST = 1_000
# A headline of fewer words may as well be the name of a section: then the whole title is kept.
_FEWEST_WORDS = 5
_SHORTEST_HEADLINE = 10


def headline_of(whole: str, headlines: Sequence[str], names: Sequence[str]) -> str:
    """The headline in the text of `<title>`.

    It is the one of `headlines` (the `<h1>`) that the title holds; or else what is left without a part that is one of
    the `names` of the site; or else, as Readability does it (https://github.com/mozilla/readability), all but the last
    part where five words are left. Of a page without a `<title>`, the first of the `headlines`.
    """
    whole = whole[:_LONGEST]
    held = (line for line in headlines if len(line) >= _SHORTEST_HEADLINE and _stands_in(line, whole))
    if (headline := next(held, "")) or not whole:
        return headline or next(iter(headlines), "")
    if (shorter := without_names(whole, names)) != whole:
        return shorter
    separators = list(_SEPARATOR.finditer(whole))
    if separators and len(whole[: separators[-1].start()].split()) >= _FEWEST_WORDS:
        return whole[: separators[-1].start()]
    return whole


def shortened(title: str, headlines: Sequence[str], names: Sequence[str]) -> str:
    """A claimed title without the site's name, or whatever it sets behind the headline of the page."""
    title = without_names(title[:_LONGEST], names)
    for line in headlines:
        if len(line) >= _SHORTEST_HEADLINE and title.startswith(line) and _SEPARATOR.match(title, len(line)):
            return line
    return title


def without_names(title: str, names: Sequence[str]) -> str:
    """A title without a first or last part that is one of the names of the site."""
    known = set(filter(None, map(_plain, names)))
    for pattern in (_SEPARATOR, _COLON):
        separators = list(pattern.finditer(title))
        if separators and _plain(title[separators[-1].end() :]) in known and title[: separators[-1].start()].strip():
            return title[: separators[-1].start()].strip()
        if separators and _plain(title[: separators[0].start()]) in known and title[separators[0].end() :].strip():
            return title[separators[0].end() :].strip()
    return title


def is_name(title: str, names: Sequence[str]) -> bool:
    """Whether a title is no more than one of the names of the site."""
    return _plain(title) in set(map(_plain, names))


def _stands_in(headline: str, title: str) -> bool:
    """Whether the title begins with the headline, or holds it as the larger part; else it may be the site's name."""
    at = title.casefold().find(headline.casefold())
    return at == 0 or (at > 0 and 2 * len(headline) >= len(title))


def _plain(name: str) -> str:
    return _LETTERS.sub("", name).casefold().removeprefix("www")
