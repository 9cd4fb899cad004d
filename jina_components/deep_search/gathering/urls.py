"""URLs that a search knows, and which of them to read first.

A search of a corpus knows the sources of its documents in their place: paths, or ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from jina_components.core.canonical import canonical_url, site_of
from jina_components.core.origins import origin_of
from jina_components.deep_search.gathering.hosts import Hosts, is_page, is_web
from jina_components.types import Document, shorten

# What makes up a score, as in Jina's DeepSearch (https://github.com/jina-ai/node-DeepResearch, url-tools).
_HOST, _BOOST, _PATH, _DECAY, _WEIGHT, _RELEVANCE, _MOST = 0.5, 2.0, 0.4, 0.8, 0.5, 0.8, 5.0
_HIT, _LINK = 1.0, 0.1
# URLs of one host among those listed, unless there are too few hosts to fill the list.
_PER_HOST = 2
# In-page links to keep; a site may have any number.
_MAX_LINKS = 5000
_TITLE, _SNIPPET = 200, 500
# Folders of a path that count.
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class ListedUrl:
    """A URL as it is listed for a choice.

    Attributes:
        number: By which `KnownUrls.resolve` finds it: its place among all that are known, from 1.
        url: URL; of a corpus, the source.
        title: Its title, or the text of a link to it; or empty.
        snippet: A few words of it, or empty.
        published_time: Its date, as its finder tells it, or empty.
        score: How promising it is, 0 to 5.
    """

    number: int
    url: str
    title: str = ""
    snippet: str = ""
    published_time: str = ""
    score: float = 0.0


@dataclass(slots=True)
class _Entry:
    number: int
    url: str
    host: str
    prefixes: tuple[str, ...] = ()
    title: str = ""
    snippet: str = ""
    published_time: str = ""
    weight: float = 0.0
    relevance: float = 0.0
    rated_for: str | None = None
    of_corpus: bool = False
    visited: bool = False
    read: int = 0  # its place among those that were read, from 1
    failed: bool = False


class KnownUrls:
    """What a search found that can be read, and what it read. Each page counts once, however its URL is written.

    Args:
        hosts: Rules of which hosts to use; URLs that they refuse are not taken in.
    """

    def __init__(self, hosts: Hosts = Hosts()) -> None:  # noqa: B008 (frozen)
        self._hosts = hosts
        self._entries: dict[str, _Entry] = {}
        self._numbered: list[_Entry] = []
        self._links = self._reads = 0

    def add_hit(self, url: str, *, title: str = "", snippet: str = "", published_time: str = "") -> bool:
        """Take in what a search found, or the user named; whether it is one to read."""
        entry = self._page(url)
        if entry is None:
            return False
        entry.weight += _HIT
        entry.title = shorten(title, _TITLE) or entry.title
        entry.snippet = shorten(snippet, _SNIPPET) or entry.snippet
        entry.published_time = shorten(published_time, 40) or entry.published_time
        return True

    def add_link(self, url: str, *, title: str = "") -> bool:
        """Take in what a page links to; whether it is one to read."""
        if self._links >= _MAX_LINKS and canonical_url(url) not in self._entries:
            return False
        entry = self._page(url)
        if entry is None:
            return False
        self._links += not entry.weight
        entry.weight += _LINK
        entry.title = entry.title or shorten(title, _TITLE)
        return True

    def add_document(self, document: Document, *, relevance: float = 0.0) -> None:
        """Take in the source of a document that a corpus gave, which thereby was read.

        It can be visited where the document is but a piece of it.

        Args:
            document: The document.
            relevance: How relevant the retriever found it, 0 to 1.
        """
        origin = origin_of(document)
        entry = self._entry(origin.source)
        entry.of_corpus = True
        is_whole = document.metadata.get("source") != origin.source or "start" not in document.metadata
        entry.visited = entry.visited or (is_whole and not entry.weight)
        entry.weight = max(entry.weight, _HIT)
        entry.title = entry.title or shorten(origin.title, _TITLE)
        entry.snippet = entry.snippet or shorten(document.text, _SNIPPET)
        entry.relevance = max(entry.relevance, relevance)
        self._mark_read(entry)

    def rate(self, question: str, relevance: Mapping[str, float]) -> None:
        """Keep how relevant URLs are for a question, 0 to 1, as `unrated` gave them."""
        for url, score in relevance.items():
            entry = self._entries[canonical_url(url)]
            entry.relevance, entry.rated_for = score, question

    def unrated(self, question: str, limit: int) -> list[ListedUrl]:
        """The most promising unread pages of which the relevance for a question is yet to be told."""
        return [
            _listed(entry, score)
            for entry, score in self._promising()[:limit]
            if entry.rated_for != question and not entry.of_corpus and (entry.title or entry.snippet)
        ]

    def mark_read(self, url: str, *, final: str = "") -> None:
        """A page was read; `final` is where it was found, after redirects, and what will be cited."""
        entry = self._entry(url)
        entry.visited = True
        if final and canonical_url(final) != canonical_url(url):
            found = self._entry(final)
            found.visited = True
            found.title, found.snippet = found.title or entry.title, found.snippet or entry.snippet
            entry = found
        self._mark_read(entry)

    def mark_visited(self, url: str) -> None:
        """More of a source of the corpus was asked for."""
        self._entry(url).visited = True

    def mark_failed(self, url: str) -> None:
        """A page could not be read, or says nothing."""
        entry = self._entry(url)
        entry.visited = entry.failed = True

    def update(self, other: KnownUrls) -> None:
        """Take in all that another search knows."""
        numbers = {entry.number: key for key, entry in other._entries.items()}
        for entry in sorted(other._numbered, key=lambda entry: (not entry.read, entry.read, entry.number)):
            key = numbers[entry.number]
            if key not in self._entries:
                self._insert(key, replace(entry, number=len(self._numbered) + 1, read=0))
            mine = self._entries[key]
            mine.weight = max(mine.weight, entry.weight)
            mine.visited, mine.failed = mine.visited or entry.visited, mine.failed or entry.failed
            mine.of_corpus = mine.of_corpus or entry.of_corpus
            if entry.read:
                self._mark_read(mine)

    def resolve(self, given: int | str) -> str | None:
        """The known URL that has this number or is that page; None where there is none."""
        if isinstance(given, int):
            return self._numbered[given - 1].url if 1 <= given <= len(self._numbered) else None
        entry = self._entries.get(canonical_url(given))
        return entry.url if entry else None

    def published(self, url: str) -> str:
        """The date of a known page, as its finder tells it, or empty."""
        entry = self._entries.get(canonical_url(url))
        return entry.published_time if entry else ""

    def is_of_corpus(self, url: str) -> bool:
        """Whether it is the source of a document of a corpus."""
        entry = self._entries.get(canonical_url(url))
        return entry is not None and entry.of_corpus

    def listed(self, limit: int = 20) -> list[ListedUrl]:
        """The most promising of those that were not visited, best first, and not all of the same few hosts."""
        best = self._promising()
        share = max(_PER_HOST, -(-limit // max(len({entry.host for entry, _ in best}), 1)))
        taken: Counter[str] = Counter()
        chosen: list[ListedUrl] = []
        for entry, score in best:
            if len(chosen) == limit:
                break
            taken[entry.host] += 1
            if taken[entry.host] <= share:
                chosen.append(_listed(entry, score))
        return chosen

    def ranked(self, limit: int | None = None) -> list[str]:
        """All URLs that are known, best first; up to `limit` of them."""
        return [entry.url for entry, _ in _by_score(self._numbered, self._hosts)][:limit]

    @property
    def count(self) -> int:
        """How many are known, in-page links included."""
        return len(self._numbered)

    @property
    def found(self) -> int:
        """How many of them searches found, in-page links left out."""
        return sum(entry.weight >= _HIT for entry in self._numbered)

    @property
    def unread(self) -> list[str]:
        """Those that were not visited, in the order they came."""
        return [entry.url for entry in self._numbered if not entry.visited]

    @property
    def waiting(self) -> int:
        """How many pages that searches found were not visited; sources of a corpus and in-page links left out."""
        return sum(entry.weight >= _HIT and not entry.visited and not entry.of_corpus for entry in self._numbered)

    @property
    def visited(self) -> list[str]:
        """Those that were visited, with what came of it: read or failed."""
        return [entry.url for entry in self._numbered if entry.visited]

    @property
    def read(self) -> list[str]:
        """Those that were read, in the order in which they were."""
        return [entry.url for entry in sorted(self._numbered, key=lambda entry: entry.read) if entry.read]

    @property
    def failed(self) -> list[str]:
        """Those that could not be read."""
        return [entry.url for entry in self._numbered if entry.failed and not entry.read]

    def _promising(self) -> list[tuple[_Entry, float]]:
        """Those that were not visited, best first."""
        return _by_score([entry for entry in self._numbered if not entry.visited], self._hosts)

    def _page(self, url: str) -> _Entry | None:
        url = url.strip()
        return None if not is_page(url) or self._hosts.refusal(url) else self._entry(url)

    def _entry(self, url: str) -> _Entry:
        key = canonical_url(url)
        if key not in self._entries:
            host = site_of(url) if is_web(url) else url
            entry = _Entry(len(self._numbered) + 1, url, host, _prefixes(key) if is_web(url) else ())
            self._insert(key, entry)
        return self._entries[key]

    def _insert(self, key: str, entry: _Entry) -> None:
        self._entries[key] = entry
        self._numbered.append(entry)

    def _mark_read(self, entry: _Entry) -> None:
        if not entry.read:
            self._reads += 1
            entry.read = self._reads


def _by_score(entries: Sequence[_Entry], hosts: Hosts) -> list[tuple[_Entry, float]]:
    """Entries and how promising each is in their company, best first."""
    by_host = Counter(entry.host for entry in entries)
    by_prefix = Counter(prefix for entry in entries for prefix in entry.prefixes)
    total = max(len(entries), 1)

    def score(entry: _Entry) -> float:
        path = sum(by_prefix[prefix] / total * _DECAY**depth for depth, prefix in enumerate(entry.prefixes))
        parts = (
            by_host[entry.host] / total * _HOST,
            _BOOST * hosts.boosts(entry.url),
            path * _PATH,
            entry.weight / total * _WEIGHT,
            entry.relevance * _RELEVANCE,
        )
        return min(max(sum(parts), 0.0), _MOST)

    return sorted(((entry, score(entry)) for entry in entries), key=lambda scored: -scored[1])


def _prefixes(key: str) -> tuple[str, ...]:
    """The folders that a page lies in, and itself, with its host: `example.com/docs`, `example.com/docs/install`."""
    host, *names = key.partition("://")[2].partition("?")[0].split("/", _DEEPEST + 1)[: _DEEPEST + 1]
    return tuple("/".join((host, *names[:depth])) for depth in range(1, len(names) + 1))


def _listed(entry: _Entry, score: float) -> ListedUrl:
    return ListedUrl(entry.number, entry.url, entry.title, entry.snippet, entry.published_time, round(score, 4))
