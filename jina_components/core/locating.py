"""The plain form in which texts are compared, and where a quote stands in a text that writes it otherwise."""

from __future__ import annotations

import re
import unicodedata

from jina_components.core.quotable import Span

_ALIKE = {
    **dict.fromkeys("‘’‚‛′´`", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff*_", ""),
}
_SPACE = re.compile(r"\s+")


def fold(text: str) -> str:
    """A text in its plainest form: one that differs from another in it differs in its words.

    White space, quotation marks, dashes and full-width letters are written in one way; Markdown's marks of emphasis
    and characters without a width are gone. Case stays.
    """
    if text.isascii():
        return _SPACE.sub(" ", text.replace("*", "").replace("_", "").replace("`", "'"))
    return _SPACE.sub(" ", text.translate({ord(one): _plain(one) for one in set(text)}))


def locate(quote: str, text: str, *, start: int = 0) -> Span | None:
    """The first stretch of `text`, from `start` on, that says what `quote` says; None where there is none.

    Its own words if they stand there; else those with the same plain form (`fold`). Takes time in proportion to the
    text.
    """
    quote = quote.strip()
    if not quote:
        return None
    found = text.find(quote, start)
    if found >= 0:
        return Span(found, found + len(quote))
    wanted = fold(quote).strip(" ")
    position = fold(text[start:]).find(wanted) if wanted else -1
    if position < 0:
        return None
    places = _places(text[start:], position + len(wanted))
    return Span(start + places[position], start + places[-1] + 1)


def _plain(character: str) -> str:
    plain = _ALIKE.get(character, character)  # before too, as NFKC takes ´ and ″ apart
    if plain > "\x7f":
        plain = "".join(_ALIKE.get(one, one) for one in unicodedata.normalize("NFKC", plain))
    return plain


def _places(text: str, count: int) -> list[int]:
    """Where the first `count` characters of the plain form of a text come from."""
    places: list[int] = []
    is_blank = False
    for place, character in enumerate(text):
        for one in _plain(character):
            if not (is_blank and one.isspace()):
                places.append(place)
            is_blank = one.isspace()
        if len(places) >= count:
            break
    return places[:count]
