"""What classes, ids and roles say about an element: tables of word stems.

The stems are conventions of web authors, gathered by Readability (https://github.com/mozilla/readability) and before it
by Arc90's bookmarklet.
"""

from __future__ import annotations

import functools
import re

_NAME_CHARS = 500
_UNLIKELY = """-ad- ad-break agegate ai2html banner breadcrumbs combx comment community cover-wrap disqus extra footer
gdpr header legends menu pager pagination popup related remark replies rss shoutbox sidebar skyscraper social sponsor
supplemental yom-remote"""
_MAYBE = "and article body column content main shadow"
_POSITIVE = "article blog body content entry h-entry hentry main page pagination post story text"
_NEGATIVE = r"""-ad- banner com- combx comment contact footer gdpr hidden(?!-(?:xs|sm|md|lg|print)) masthead media meta
outbrain promo related scroll share shopping shoutbox sidebar skyscraper sponsor tags widget (?:^|\s)hid(?:\s|$)"""


def _any_of(stems: str) -> re.Pattern[str]:
    return re.compile("|".join(stems.split()), re.IGNORECASE)


UNLIKELY = _any_of(_UNLIKELY)
"""Names of what is hardly ever part of the text."""
MAYBE = _any_of(_MAYBE)
"""Names that make one of `UNLIKELY` doubtful."""
COMPANION = _any_of("breadcrumbs menu pager pagination")
"""Those of `UNLIKELY` that hold no paragraphs where they are what they say."""
POSITIVE = _any_of(_POSITIVE)
"""Names that speak for text."""
NEGATIVE = _any_of(_NEGATIVE)
"""Names that speak against it."""
BYLINE = _any_of("author byline dateline p-author writtenby")
"""Names of the lines that tell author and date."""
NOTE = re.compile(
    r"(?:\b|_)(?:admonition|callout|caution|danger|hint|important|info|note|tip|warning)(?:\b|_)", re.IGNORECASE
)
"""Names of the boxes that belong to a text."""
SHARE = re.compile(r"(?:\b|_)share(?:daddy)?(?:\b|_)", re.IGNORECASE)
"""Names of the buttons that pass a page on."""

UNLIKELY_ROLES = frozenset(("alertdialog", "complementary", "dialog", "menu", "menubar", "navigation"))


def weight(name: str | None) -> int:
    """What a class or an id says of its element: 25 for text, -25 against, or 0."""
    return _weight(name[:_NAME_CHARS]) if name else 0


@functools.lru_cache(maxsize=8192)
def _weight(name: str) -> int:
    return 25 * ((POSITIVE.search(name) is not None) - (NEGATIVE.search(name) is not None))
