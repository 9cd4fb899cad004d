"""Which hosts a search may use, and which URLs are no pages to read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from jina_components.core.canonical import canonical_url, is_within
from jina_components.deep_search_options import DeepSearchOptions

_WEB = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)
_LONGEST = 2000
# Search engines' own pages of results, as `canonical_url` spells them: what they list is not on them for long.
_RESULT_PAGES = re.compile(
    r"https://(?:"
    r"(?:\w+\.)?google\.[a-z]{2,3}(?:\.[a-z]{2})?/(?:search|url|imgres)\b"
    r"|(?:\w+\.)?bing\.com/(?:search|images|videos|news|ck)\b"
    r"|(?:\w+\.)?duckduckgo\.com(?:/(?:html|lite|l))?\?"
    r"|(?:\w+\.)?search\.yahoo\.com/|search\.yahoo\.co\.jp/|search\.brave\.com/|search\.naver\.com/"
    r"|yandex\.[a-z]{2,3}(?:\.[a-z]{2})?/search\b|(?:\w+\.)?baidu\.com/(?:s|link)\b|so\.com/s\b|sogou\.com/web\b"
    r"|ecosia\.org/search\b|startpage\.com/(?:do|sp)/|qwant\.com\?|kagi\.com/search\b)"
)


@dataclass(frozen=True, slots=True)
class Hosts:
    """Rules of which hosts to use. A host stands for its subdomains too, and `example.com/docs` for what is below it.

    Attributes:
        boost: Whose pages come first.
        bad: That are never asked for, nor cited; of a page that leads there by a redirect nothing is taken.
        only: If any, the only ones that are.
    """

    boost: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    @classmethod
    def of(cls, options: DeepSearchOptions) -> Self:
        """The rules that a caller's options make."""
        return cls(options.boost_hostnames, options.bad_hostnames, options.only_hostnames)

    def refusal(self, url: str) -> str:
        """Why a URL may not be used, in words; empty where it may. What is no URL stands on no host, and may."""
        if not is_web(url):
            return ""
        if is_within(url, self.bad):
            return "its host is among bad_hostnames"
        if self.only and not is_within(url, self.only):
            return "its host is not among only_hostnames"
        return ""

    def boosts(self, url: str) -> bool:
        """Whether its pages come first."""
        return bool(self.boost) and is_web(url) and is_within(url, self.boost)


def is_web(url: str) -> bool:
    """Whether it is a URL of http or https, and not a path or another name of a document."""
    return _WEB.match(url) is not None


def is_page(url: str) -> bool:
    """Whether a URL that others wrote may be that of a page to read: of http(s), clean, no search engine's results."""
    return (
        is_web(url)
        and len(url) <= _LONGEST
        and url.isprintable()
        and " " not in url
        and _RESULT_PAGES.match(canonical_url(url)) is None
    )
