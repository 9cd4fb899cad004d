"""Where a quote stands in a text, though white space, quotation marks or dashes were written otherwise."""

from __future__ import annotations

import unicodedata

from jina_components.core.quotable import Span

_ALIKE = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′´`", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff*_"),
    }
)


def locate(quote: str, text: str, *, start: int = 0) -> Span | None:
    """The first stretch of `text`, from `start` on, that says what `quote` says; None where there is none.

    Its own words if they stand there; else those that differ in white space, in the form of quotation marks, dashes
    and full-width letters, in Markdown's marks of emphasis and in characters without a width. Case counts. Takes time
    in proportion to the text.
    """
    quote = quote.strip()
    if not quote:
        return None
    found = text.find(quote, start)
    if found >= 0:
        return Span(found, found + len(quote))
    wanted = _folded(quote)[0].strip(" ")
    folded, places = _folded(text[start:])
    position = folded.find(wanted) if wanted else -1
    if position < 0:
        return None
    return Span(start + places[position], start + places[position + len(wanted) - 1] + 1)


def _folded(text: str) -> tuple[str, list[int]]:
    """The text in its plainest form, and where each of its characters comes from."""
    pieces: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        plain = character.translate(_ALIKE)  # before too, as NFKC takes ´ and ″ apart
        if plain > "\x7f":
            plain = unicodedata.normalize("NFKC", plain).translate(_ALIKE)
        if plain.isspace():
            if pieces and pieces[-1] == " ":
                continue
            plain = " "
        pieces += plain
        places += [place] * len(plain)
    return "".join(pieces), places
