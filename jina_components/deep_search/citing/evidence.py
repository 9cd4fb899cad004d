"""The sentences of a search's evidence, and which of them say what a sentence of an answer says."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import nlargest

from jina_components.core.locating import fold, locate
from jina_components.core.origins import origin_of
from jina_components.core.overlap import terms
from jina_components.core.quotable import Span, quotable_spans
from jina_components.deep_search.citing.addresses import KnownAddresses
from jina_components.deep_search.citing.figures import Number, Shown, find_names
from jina_components.deep_search.citing.sanitizing import readable
from jina_components.deep_search.citing.verbatim import Verbatim, count_words
from jina_components.types import Document

_ENDS = " .…。!?！？;:,"
# A word that more quotes have than these says little of which to choose.
_COMMON, _COMMON_SHARE = 100, 0.2
# A part of a sentence says what the whole does, if it has so many words and the rest none of these.
_PART = 5
_TURNING = frozenset(
    terms(
        "not no never neither nor none without false wrong untrue hoax myth rumour rumor alleged allegedly claims"
        " claimed supposedly if unless would could might may denies denied deny failed incorrectly mistakenly contrary"
        " instead reportedly believed fiction fictional joke nicht kein keine nie falsch wenn ne pas jamais faux si sin"
        " nunca falso не нет никогда"
    )
)
_NEIGHBOURS = 4
_REFERRING = re.compile(
    r"\b(?:he|she|it|they|his|her|its|their|this|these|him|them|er|sie|es|dies|diese[rs]?|sein|seine|ihr|ihre|il|elle"
    r"|ils|elles|son|sa|este|esta|él|ella|su)\b",
    re.IGNORECASE,
)
_BEGINNING = 12  # characters by which quotes are looked up that a text begins with


@dataclass(frozen=True, slots=True)
class Quote:
    """A stretch of a document that can be quoted.

    Attributes:
        document: The document.
        span: Where it stands in its text.
        plain: Its words in their plainest form, without marks of notes and links.
        number: Its number among all quotes.
    """

    document: Document
    span: Span
    plain: str
    number: int = -1


class Evidence:
    """The documents of a search, by their sentences.

    Args:
        said: What the user said: its words and addresses may stand in an answer.
    """

    def __init__(self, said: Iterable[str]) -> None:
        self.quotes: list[Quote] = []
        self.verbatim = Verbatim()
        self.addresses = KnownAddresses()
        for text in said:
            self.verbatim.add(text)
            self.addresses.add(text)
        self._folded: dict[str, tuple[Document, str]] = {}
        self._ranges: dict[str, tuple[int, int]] = {}  # numbers of the quotes of each document
        self._all: Shown | None = None
        self._whole: dict[str, Quote] = {}
        self._beginning: dict[str, list[str]] = {}
        self._postings: dict[str, list[int]] = {}
        self._starts: list[int] = []
        self._pieces: list[str] = []
        self._length = 0
        self._joined: str | None = None

    def add(self, documents: Iterable[Document]) -> None:
        """Take in documents; those that are known already count once."""
        for document in documents:
            if document.id not in self._folded:
                self._folded[document.id] = document, fold(document.text)
                self._all = None
                self._add(document)

    def _add(self, document: Document) -> None:
        origin = origin_of(document)
        context = f"{origin.title} {origin.heading}"
        for text in (document.text, readable(document.text), origin.title, origin.heading):
            self.verbatim.add(text)
        self.addresses.add(document.text, origin.source, origin.title)
        first = len(self.quotes)
        self._put("\0")
        for span in quotable_spans(document.text):
            plain = fold(readable(document.text[span.start : span.end])).strip()
            number = len(self.quotes)
            quote = Quote(document, span, plain, number)
            self.quotes.append(quote)
            words = plain.strip(_ENDS)
            if words and words not in self._whole:
                self._whole[words] = quote
                self._beginning.setdefault(words[:_BEGINNING], []).append(words)
            for term in set(terms(f"{context} {plain}")):
                self._postings.setdefault(term, []).append(number)
            self._starts.append(self._length)
            self._put(f"{plain} ")
        self._ranges[document.id] = first, len(self.quotes)

    def _put(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)
        self._joined = None

    def exact(self, text: str) -> list[Quote]:
        """The quotes that say a sentence in the same words: whole ones, or most of one; none where it is not said."""
        plain = fold(readable(text)).strip().strip(_ENDS)
        if not plain:
            return []
        if plain in self._whole:
            return [self._whole[plain]]
        return self._joined_quotes(plain) or self._within(plain)

    def _joined_quotes(self, plain: str) -> list[Quote]:
        """Whole quotes that a text is put together from."""
        found: list[Quote] = []
        while plain:
            fitting = [words for words in self._beginning.get(plain[:_BEGINNING], ()) if plain.startswith(words)]
            whole = max((words for words in fitting if not plain[len(words) :][:1].isalnum()), key=len, default="")
            if not whole:
                return []
            found.append(self._whole[whole])
            plain = plain[len(whole) :].lstrip(_ENDS)
        return found

    def _within(self, plain: str) -> list[Quote]:
        """The quote, or quotes in a row, of which a text is most."""
        if self._joined is None:
            self._joined = "".join(self._pieces)
        place = self._joined.find(plain)
        if place < 0 or count_words(plain) < _PART:
            return []
        end = place + len(plain)
        first, last = (bisect_right(self._starts, at) - 1 for at in (place, end - 1))
        rest = self._joined[self._starts[first] : place] + " " + self._rest(end, last)
        is_cut = self._joined[max(place - 1, 0) : place].isalnum() or self._joined[end : end + 1].isalnum()
        if is_cut or not _TURNING.isdisjoint(terms(rest)):
            return []
        document, start = self.quotes[first].document, self.quotes[first].span.start
        return [Quote(document, Span(start, self.quotes[last].span.end), plain, first)]

    def _rest(self, end: int, last: int) -> str:
        joined = self._joined or ""
        stop = self._starts[last + 1] if last + 1 < len(self._starts) else len(joined)
        return joined[end:stop].replace("\0", "")

    def locate(self, words: str) -> Quote | None:
        """The first quote that holds some words, or is them."""
        plain = fold(words).strip()
        for document, folded in self._folded.values() if plain else ():
            if plain in folded and (place := locate(words, document.text)):
                number = self._number_at(document, place.start)
                holds = number is not None and self.quotes[number].span.end >= place.end
                return self.quotes[number] if holds and number is not None else Quote(document, place, plain)
        return None

    @property
    def everything(self) -> Shown:
        """Numbers, dates and names of all evidence."""
        if self._all is None:
            titles = {origin_of(document).title for document, _ in self._folded.values()}
            self._all = Shown([*(text for _, text in self._folded.values()), *sorted(titles)])
        return self._all

    def nearest(self, text: str, limit: int) -> list[Quote]:
        """The quotes that share most words with a text, the rare ones counting most; best first."""
        scores: defaultdict[int, float] = defaultdict(float)
        total = len(self.quotes)
        for term in set(terms(text)):
            postings = self._postings.get(term, ())
            if len(postings) <= max(_COMMON, total * _COMMON_SHARE):
                weight = math.log(1 + total / (len(postings) or 1))
                for number in postings:
                    scores[number] += weight
        best = nlargest(limit, scores.items(), key=lambda item: (item[1] / self._norm(item[0]), -item[0]))
        return [self.quotes[number] for number, _ in best]

    def _norm(self, number: int) -> float:
        """Long quotes have words of everything."""
        return 1 + math.log1p(len(self.quotes[number].plain) / 200)

    def with_number(self, number: Number) -> Iterator[Quote]:
        """The quotes that may have a number, by its digits."""
        digits = re.sub(r"\D", "", number.written)
        return (one for one in self.quotes if digits and digits in re.sub(r"[\s.,'’]", "", one.plain))

    def inside(self, quote: Quote) -> list[Quote]:
        """The quotes that a longer one is made of, or itself."""
        first, end = self._ranges.get(quote.document.id, (0, 0))
        low, high = quote.span
        return [one for one in self.quotes[first:end] if low <= one.span.start and one.span.end <= high] or [quote]

    def headings(self, quote: Quote) -> str:
        """The title and the headings that a quote stands under."""
        origin = origin_of(quote.document)
        return f"{origin.title} . {origin.heading}"

    def before(self, quote: Quote) -> str:
        """The sentences before a quote that name what it calls "it"; empty where it names what it is about itself."""
        number = self._number_at(quote.document, quote.span.start)
        if number is None or not (_REFERRING.search(quote.plain) or not any(find_names(quote.plain))):
            return ""
        first = self._ranges[quote.document.id][0]
        found: list[str] = []
        for one in reversed(self.quotes[max(number - _NEIGHBOURS, first) : number]):
            found.append(one.plain)
            if not _REFERRING.match(one.plain):
                break
        return " . ".join(reversed(found))

    def _number_at(self, document: Document, place: int) -> int | None:
        """Number of the last quote of a document that begins at or before a place."""
        first, end = self._ranges.get(document.id, (0, 0))
        number = bisect_right(self.quotes, place, first, end, key=lambda quote: quote.span.start) - 1
        return number if number >= first else None
