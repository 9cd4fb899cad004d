"""Whether quotes show a sentence, decided by rules: alone, and over what a Grounder says.

Models of entailment and similarity let a wrong year, amount or name pass more easily than a wrong word; so these must
stand in the quotes, and a sentence must not deny what a quote says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from jina_components.core.overlap import terms
from jina_components.deep_search.citing.agreeing import clauses, contradicts, has_contrary, tells_of_another
from jina_components.deep_search.citing.calculations import Calculation, founded
from jina_components.deep_search.citing.claiming import is_courtesy
from jina_components.deep_search.citing.drafting import Piece, statement
from jina_components.deep_search.citing.evidence import Evidence, Quote
from jina_components.deep_search.citing.figures import SMALL, Missing, Number, Shown, find_names, find_numbers, missing
from jina_components.deep_search.citing.findings import Finding
from jina_components.deep_search.citing.sanitizing import readable
from jina_components.deep_search.citing.verbatim import count_words
from jina_components.deep_search.citing.verifying import Verified

# Quotes that are cited for one sentence.
_CITED = 3
# Share of a sentence's words that a quote must have: to be cited, and to show it by itself.
_SHARED, _SAME = 0.5, 0.85
# Quotes that together may say what a Grounder, which judges by one, takes for refuted.
_LOOKED_AT = 4
# Of so few words each is half of what is said: one may differ of four, none of three.
_FEW = 4
# Similarity (cosine, or share of all words) from which on a quote is looked at, and from which on it is very near.
_NEAR, _VERY_SIMILAR = 0.15, 0.7
_MARKUP = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)|~~")
_FENCED = re.compile(r"^[ \t]*(?:`{3,}|~{3,}).*$", re.MULTILINE)
_COLONS, _QUESTIONS = (":", "："), ("?", "？", "؟")
_STOPS = (".", "!", "。", "！")
# Words of the longest introduction, of one that names nothing though its words have capitals, of the longest heading.
_INTRODUCTION, _LABEL, _TITLE = 14, 3, 12
_BRIEF = 12  # words; what is longer says several things, of which models judge better
_FIRST = 6  # words that tell which sentence was left out
_TELLING = re.compile(r"[^\w\s,;'’-]|[\d_]|(?<!\w)['’]|['’](?!\w)")
# Letters of words that say little, and from where on scripts come whose terms are all short.
_SHORT, _SCRIPTS = 3, "\u0e00"
_YEAR = re.compile(r"(?<![\d.,])(?:1\d|20)\d\d(?![\d.,]?\d)")
_DATE = re.compile(r"(?<!\d)(?:\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{4})(?!\d)")
_GROUPED = re.compile(r"(?<=\d)[.,'’ \u00a0\u202f\u2009](?=\d{3}(?!\d))")


class Rules:
    """Decides on sentences.

    Attributes:
        evidence: What there is to show them.

    Args:
        evidence: As above.
        said: What the user said.
        calculated: Calculations in their order: code and result.
        least: From which similarity on a quote may be cited; None leaves it to the words that they share.
    """

    def __init__(
        self, evidence: Evidence, *, said: Sequence[str], calculated: Sequence[tuple[str, str]], least: float | None
    ) -> None:
        self.evidence = evidence
        self._said = Shown(said)
        self._calculations = founded(calculated, (evidence.everything, self._said))
        self._least = least
        self._shown: dict[str, Shown] = {}

    def first_look(self, pieces: Sequence[Piece], number: int) -> Finding:
        """What can be decided without a model: what is said in the same words, claims nothing, or is invented."""
        piece = pieces[number]
        text = _FENCED.sub("", piece.text).strip("\n") if piece.kind == "code" else statement(pieces, number)
        finding = Finding(piece, text if piece.kind == "code" else _MARKUP.sub("", readable(text)).strip())
        if piece.invented:
            finding.dropped, finding.why = True, "a quotation stands in no source"
        elif piece.kind == "header" or (piece.kind == "heading" and _is_title(finding.says)):
            finding.claims = False
            finding.supported = not self._unknown(finding.own, names=False)
        elif quotes := self._same_words(finding, text):
            finding.quotes = [(quote, 1.0) for quote in quotes[: _CITED * 2]]
            finding.supported = True
        elif self._claims_nothing(finding):
            finding.claims = False
            finding.supported = True
        return finding

    def calculated(self, finding: Finding, *, alone: bool) -> bool:
        """Whether a sentence tells the result of a calculation, and all else that it names is known; cites its inputs.

        Args:
            finding: The sentence; if so, it is supported by the quotes of what was calculated with.
            alone: Whether the result must stand in no source.
        """
        everything = self.evidence.everything
        told = [number for number in find_numbers(finding.own) if not (alone and everything.has_number(number))]
        used = [one for one in self._calculations if any(_is_result(number, one) for number in told)]
        if not used or self._unknown(finding.own, calculated=True):
            return False
        inputs = [number for one in used for number in one.inputs if everything.has_number(number)]
        quotes = self._holding(inputs, finding)
        named = Shown(f"{quote.plain} . {self._around(quote)}" for quote in quotes)
        names = missing(finding.own, named).names
        if inputs and any(everything.has_name(name) for name in names):
            return False  # calculated with numbers of something else
        finding.quotes, finding.supported = [(quote, 1.0) for quote in quotes], True
        return True

    def _holding(self, numbers: Sequence[Number], finding: Finding) -> list[Quote]:
        """For some numbers the quotes that have them, those that are nearest to a sentence first."""
        near = self.evidence.nearest(finding.says, _LOOKED_AT * 2)
        found: dict[int, Quote] = {}
        for number in numbers:
            quotes = chain(near, self.evidence.with_number(number))
            quote = next((one for one in quotes if self._of(one).has_number(number)), None)
            found.update({} if quote is None else {quote.number: quote})
        return list(found.values())[:_CITED]

    def decide(self, finding: Finding, verified: Verified | None) -> None:
        """Decide on a sentence by what the Grounder says of it, or without that by similarity."""
        if verified is None:
            self._by_similarity(finding, _SHARED)
        elif verified.failed:
            return
        elif verified.verdict == "supported":
            own = [self._narrowed(finding, quote, surely) for quote, surely in verified.quotes[:_CITED]]
            alone = [pair for pair in own if self._alone(finding, pair)]
            best = alone or [pair for pair in finding.near if self._alone(finding, pair)][:1] or own[:1]
            self._show(finding, _apart(best), finding.near)
        elif verified.verdict == "not enough evidence":
            self._by_similarity(finding, _SAME)
        elif verified.verdict is None:
            self._by_similarity(finding, _SHARED)
            if not finding.supported and finding.piece.kind == "text" and not self._unknown(finding.own):
                finding.supported, finding.claims = True, False
        if not finding.supported and self.calculated(finding, alone=False):
            return
        if not finding.supported and verified is not None and verified.verdict == "refuted":
            self._contested(finding)

    def known_words(self, says: str) -> str:
        """The first words of a sentence, up to what no source says."""
        words: list[str] = []
        for word in says.split()[:_FIRST]:
            is_name = word[:1].isupper() and not self.evidence.everything.has_name(re.sub(r"\W", "", word))
            if _TELLING.search(word) or (words and is_name) or self._unknown(f"- {word}"):
                break
            words.append(word)
        return f"{' '.join(words)} …".strip()

    def unshown(self, value: object) -> str:
        """What a JSON value says that stands nowhere: its numbers, dates and names; empty where nothing."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return ""
        if isinstance(value, str):
            absent = self._unknown(value, calculated=True)
            return ", ".join([*(number.written for number in absent.numbers), *absent.names]) or value * bool(absent)
        size = abs(float(value))
        is_count = size <= SMALL and size.is_integer()
        number = Number((size, 100 * size))
        is_known = any(one.has_number(number) for one in (self.evidence.everything, self._said))
        return "" if is_count or is_known or self._is_calculated(number) else str(value)

    def _is_calculated(self, number: Number) -> bool:
        return any(_is_result(number, one) for one in self._calculations)

    def _narrowed(self, finding: Finding, quote: Quote, surely: float) -> tuple[Quote, float]:
        """The one sentence of a longer quote that is enough, and how similar it is; else the quote."""
        for near, similar in finding.near:
            is_within = quote.span.start <= near.span.start and near.span.end <= quote.span.end
            is_within = is_within and near.document.id == quote.document.id
            if is_within and self._alone(finding, (near, similar)):
                return near, similar
        return quote, _similarity(finding, quote, surely)

    def _same_words(self, finding: Finding, text: str) -> list[Quote]:
        if finding.piece.kind not in ("code", "quote"):
            return self.evidence.exact(text)
        if found := self.evidence.exact(finding.says):
            return found
        located = self.evidence.locate(finding.says)
        return [] if located is None else [located]

    def _claims_nothing(self, finding: Finding) -> bool:
        says, words = finding.says.rstrip(' "”’»)'), count_words(finding.says)
        is_introduction = says.endswith(_COLONS) and words <= _INTRODUCTION and finding.piece.kind != "row"
        if not (is_courtesy(says) or is_introduction or says.endswith(_QUESTIONS)):
            return not words
        return not self._unknown(finding.own, names=not (is_introduction and words <= _LABEL))

    def _unknown(self, text: str, *, names: bool = True, calculated: bool = False) -> Missing:
        """What a text names that stands nowhere in the evidence, nor in what the user said; nor was `calculated`."""
        absent = missing(text, self.evidence.everything, names=names)
        if not absent:
            return absent
        absent = _still_missing(absent, self._said)
        return absent._replace(numbers=tuple(n for n in absent.numbers if not (calculated and self._is_calculated(n))))

    def _by_similarity(self, finding: Finding, shared: float) -> None:
        """Cite the nearest quotes, if they say what the sentence says."""
        least = _NEAR if self._least is None else self._least
        relevant = [
            pair
            for pair in finding.near
            if pair[1] >= least or (self._least is None and self._agrees(finding, [pair], _SAME))
        ]
        usable = [pair for pair in relevant if self._agrees(finding, [pair], shared)]
        further = [pair for pair in relevant if pair in usable or self._is_told(finding, pair[0])]
        for first in usable[:_CITED]:
            # Of several documents a sentence can be put together that none of them says.
            self._show(finding, [first], [one for one in further if one[0].document.id == first[0].document.id])
            if finding.supported:
                return

    def _contested(self, finding: Finding) -> None:
        """Leave out what the Grounder takes for refuted, unless quotes have its words and all that can be checked."""
        near = finding.near[:_LOOKED_AT]
        if parts := self._by_parts(finding, near):
            finding.quotes, finding.supported = parts, True
            return
        absent = self._unknown(finding.own) or missing(finding.own, Shown(quote.plain for quote, _ in near))
        together = self._agrees(finding, near, _SAME) and not absent
        finding.dropped = not together and not any(self._alone(finding, pair) for pair in near)
        finding.why = "the sources say otherwise"

    def _alone(self, finding: Finding, pair: tuple[Quote, float]) -> bool:
        """Whether one quote has a sentence's words, and all of it that can be checked."""
        return self._agrees(finding, [pair], _SHARED) and not self._absent(finding.own, pair[0])

    def _is_told(self, finding: Finding, quote: Quote) -> bool:
        """Whether a sentence has most of a quote's words: it may be the half of what it says."""
        words = {term for term in _terms(quote.plain) if len(term) > _SHORT or term[:1] > _SCRIPTS}
        return 2 * len(words & set(_terms(finding.says))) > len(words)

    def _agrees(self, finding: Finding, cited: Sequence[tuple[Quote, float]], shared: float) -> bool:
        """Whether quotes have so many of a sentence's words, and deny what it denies.

        One that is very similar may have fewer of a sentence of numbers, which are looked for in any case.
        """
        says = finding.own
        if not cited or (finding.piece.kind != "row" and contradicts(says, cited[0][0].plain)):
            return False
        ours = set(_terms(says))
        words = {term for term in ours if len(term) > _SHORT or term[:1].isdigit() or term[:1] > _SCRIPTS} or ours
        theirs = set(_terms(" ".join(f"{quote.plain} {self.evidence.headings(quote)}" for quote, _ in cited)))
        lacking = len(words - theirs)
        if lacking <= (1 - shared) * len(words) and (len(words) > _FEW or lacking <= len(words) // _FEW):
            return True
        return shared < _SAME and cited[0][1] >= _VERY_SIMILAR and any(find_numbers(says))

    def _show(
        self, finding: Finding, own: Sequence[tuple[Quote, float]], others: Sequence[tuple[Quote, float]]
    ) -> None:
        """Cite quotes, if one has every number, date and name, or others each those of one part of the sentence."""
        each = [(one, similar) for quote, similar in own for one in self.evidence.inside(quote)]
        near = [*each, *(one for one in others if one not in each and one[1] >= (self._least or _NEAR))]
        cited = [pair for pair in each if not self._absent(finding.own, pair[0])][: len(own)]
        cited = cited or [pair for pair in near if self._alone(finding, pair)][:1] or self._by_parts(finding, near)
        if cited and not self._is_doubtful(finding, cited):
            finding.quotes, finding.supported = cited, True

    def _by_parts(self, finding: Finding, near: Sequence[tuple[Quote, float]]) -> list[tuple[Quote, float]]:
        """The quotes that show the parts of a sentence; none where one part is not shown."""
        parts = clauses(finding.own)
        found: list[tuple[Quote, float]] = []
        for part in parts if len(parts) > 1 else ():
            alone = Finding(replace(finding.piece, text=part), part)
            shown = [pair for pair in near if self._alone(alone, pair) and not tells_of_another(part, pair[0].plain)]
            if not shown:
                return []
            found += [pair for pair in shown[:1] if pair not in found]
        return [] if len(found) > _CITED or _have_other_years(found, finding.says) else found

    def _is_doubtful(self, finding: Finding, cited: Sequence[tuple[Quote, float]]) -> bool:
        """Whether a quote says the contrary, or the numbers or words of a sentence are those of something else."""
        says = finding.own
        if finding.piece.kind == "row":
            return False
        if len(cited) == 1 and tells_of_another(says, cited[0][0].plain):
            return True
        if any(contradicts(says, quote.plain) for quote, _ in cited):
            return True
        words = {term for term in _terms(says) if len(term) > _SHORT}
        shown = set[str]().union(*(self._words_of(quote) for quote, _ in cited))
        plain = {term for term in words if not term[:1].isdigit()} - set(_terms(" ".join(find_names(says))))
        has_number = any(term[:1].isdigit() for term in words)
        if plain and not has_number and plain.isdisjoint(shown):
            return True  # nothing in common but names and numbers
        before = " ".join(self.evidence.before(quote) for quote, _ in cited)
        others = [quote for quote, _ in finding.near] if len(words) <= _BRIEF else []
        return any(
            self._is_contrary(words, words - shown, quote)
            or (quote.plain not in before and self._is_spliced(words, shown, quote))
            for quote in others
        )

    def _is_spliced(self, words: set[str], shown: set[str], other: Quote) -> bool:
        """Whether words of a sentence that its quotes lack are those of another quote."""
        theirs = self._words_of(other)
        taken = theirs & (words - shown)
        return len(taken) > 1 or bool(taken and theirs & words & shown)

    def _is_contrary(self, words: set[str], lacking: set[str], other: Quote) -> bool:
        """Whether another quote of the same says the contrary of words that a sentence's quotes lack."""
        return has_contrary(" ".join(lacking), other.plain) and 2 * len(self._words_of(other) & words) >= len(words)

    def _words_of(self, quote: Quote) -> set[str]:
        """The words of a quote, with its headings and the names before it."""
        names = " ".join(find_names(self.evidence.before(quote)))
        return set(_terms(f"{quote.plain} {self.evidence.headings(quote)} {names}"))

    def _of(self, quote: Quote) -> Shown:
        if quote.plain not in self._shown:
            self._shown[quote.plain] = Shown([quote.plain])
        return self._shown[quote.plain]

    def _around(self, quote: Quote) -> str:
        """What names the subject of a quote: its title, its headings, what stands before it."""
        return f"{self.evidence.headings(quote)} . {self.evidence.before(quote)}"

    def _absent(self, says: str, quote: Quote) -> Missing:
        """What of a sentence does not stand in a quote; names may stand in what names its subject."""
        absent = missing(says, self._of(quote))
        if not absent:
            return absent
        absent = _still_missing(absent, Shown([self.evidence.headings(quote)]))
        absent = absent._replace(names=_still_missing(absent, Shown([self._around(quote)])).names)
        # What the user said may stand in an answer, but not what the sources say of something else.
        unsaid, everything = _still_missing(absent, self._said), self.evidence.everything
        return Missing(
            tuple(one for one in absent.numbers if one in unsaid.numbers or everything.has_number(one)),
            tuple(one for one in absent.months if one in unsaid.months or one in everything.months),
            tuple(one for one in absent.names if one in unsaid.names or everything.has_name(one)),
        )


def _is_result(number: Number, calculation: Calculation) -> bool:
    shown = Shown(result.written for result in calculation.results)
    return shown.has_number(number)


def _have_other_years(cited: Sequence[tuple[Quote, float]], says: str) -> bool:
    """Whether quotes that are put together tell years beside those of a sentence, which may be of something else."""
    years = set(_YEAR.findall(says))
    return bool(years) and not years.issuperset(year for quote, _ in cited for year in _YEAR.findall(quote.plain))


def _overlaps(left: tuple[Quote, float], right: tuple[Quote, float]) -> bool:
    (one, _), (other, _) = left, right
    return one.document.id == other.document.id and max(one.span.start, other.span.start) < min(
        one.span.end, other.span.end
    )


def _apart(pairs: Sequence[tuple[Quote, float]]) -> list[tuple[Quote, float]]:
    """Quotes without those that overlap an earlier one."""
    kept: list[tuple[Quote, float]] = []
    for pair in pairs:
        if not any(_overlaps(pair, one) for one in kept):
            kept.append(pair)
    return kept


def _still_missing(absent: Missing, shown: Shown) -> Missing:
    months = tuple(one for one in absent.months if one not in shown.months)
    numbers = tuple(one for one in absent.numbers if not shown.has_number(one))
    return Missing(numbers, months, tuple(name for name in absent.names if not shown.has_name(name)))


def _terms(text: str) -> Iterator[str]:
    """Terms, in which 2 460, 2,460 and 2460 are the same; without dates, which are looked for in any case."""
    return terms(_GROUPED.sub("", _DATE.sub("", text)))


def _is_title(heading: str) -> bool:
    """Whether a heading only names what comes; else it is a sentence like any other."""
    return count_words(heading) <= _TITLE and not heading.endswith(_STOPS)


def _similarity(finding: Finding, quote: Quote, surely: float) -> float:
    """How similar a quote of the Grounder's is; or else how sure it is of it."""
    return next((similar for near, similar in finding.near if _overlaps((near, similar), (quote, surely))), surely)
