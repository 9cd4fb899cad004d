"""The headings that places of a Markdown text stand under."""

from __future__ import annotations

import re

# Of a title: each heading below it has it in its trail, and a page may have any number of these.
_LONGEST = 200
_HEADING = re.compile(r"^ {0,3}(?:(#{1,6})[ \t]+(.+)|(```+|~~~+).*)$", re.MULTILINE)


def headings(text: str) -> list[tuple[int, str]]:
    """Where each heading stands, in code points, and the trail of headings from there on: `Install > Linux`.

    Of a longer title, its first 200 characters.
    """
    found: list[tuple[int, str]] = []
    trail: dict[int, str] = {}
    fence = ""
    for match in _HEADING.finditer(text):
        marks, title, opening = match.groups()
        if opening:
            fence = ("" if opening.startswith(fence) else fence) if fence else opening
        elif not fence:
            trail = {level: above for level, above in trail.items() if level < len(marks)} | {
                len(marks): title.strip(" \t#")[:_LONGEST]
            }
            found.append((match.start(), " > ".join(trail[level] for level in sorted(trail))))
    return found
