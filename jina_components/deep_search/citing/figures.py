"""Numbers, dates and names of a sentence, and whether they stand in what is to show it.

A check by rules beside the models, which let a wrong year or name pass more easily than a wrong word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

_SPACES = " \u00a0\u202f\u2009"
_NUMBER = re.compile(
    rf"(?<![^\W\d_])(?P<digits>\d{{1,3}}(?:[{_SPACES}]\d{{3}}(?!\d))++(?:[.,]\d++)?+|\d++(?:[.,'’]\d++)*+)"
    rf"(?P<behind>s\b|'s\b|(?:st|nd|rd|th)?[{_SPACES}-]?century\b)?(?:[{_SPACES}-]?(?P<scale>[^\W\d_]++))?+"
)
_ISO = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)")
_NUMERIC = re.compile(r"(?<![\d.])(\d{1,2})[./](\d{1,2})[./](\d{4})(?!\d)")
_SCALES = {
    **dict.fromkeys(("thousand", "k", "tausend", "mille", "mil", "tsd", "тыс", "тысяч", "千"), 1e3),
    **dict.fromkeys(("million", "millions", "millionen", "mio", "mn", "millones", "millón", "milioni", "млн"), 1e6),
    **dict.fromkeys(
        ("billion", "billions", "bn", "milliarde", "milliarden", "mrd", "milliard", "milliards", "млрд"), 1e9
    ),
    **dict.fromkeys(("trillion", "trillions"), 1e12),
    **dict.fromkeys(("万", "萬"), 1e4),
    **dict.fromkeys(("億", "亿"), 1e8),
}
_WORDS = {
    word: value
    for value, word in enumerate(
        """
        zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
        eighteen nineteen twenty
        """.split()  # noqa: SIM905 (easier to read as text)
    )
}
_TENS = {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_ELSEWHERE = {
    word: value
    for language in (
        "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
        "zéro un deux trois quatre cinq six sept huit neuf dix onze douze",
        "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce",
        "none first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth",
        "- once twice thrice",
    )
    for value, word in enumerate(language.split())
}
SMALL = 10
"""Numbers up to this one, written out, are hardly ever what a sentence is about: "the two of them"."""
# Unless they count these, by the beginnings of their names.
_MEASURES = (
    "second", "minute", "hour", "day", "week", "month", "year", "decade", "centur", "percent", "meter", "metre", "kilo",
    "mile", "euro", "dollar", "pound", "sekunde", "stunde", "tag", "woche", "monat", "jahr", "prozent", "heure", "jour",
    "semaine", "mois", "année", "día", "semana", "mes", "año", "times",
)  # fmt: skip
_MONTHS = {
    name: number
    for names in (
        "january february march april may june july august september october november december",
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "januar februar märz april mai juni juli august september oktober november dezember",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    )
    for number, name in enumerate(names.split(), 1)
}
_DATED = re.compile(r"\d(?:st|nd|rd|th)?[.,]?[ \t](?:of[ \t])?$|\b(?:in|since|until|by|im|en)[ \t]$", re.IGNORECASE)
_HEDGE = re.compile(
    r"(?:about|around|approximately|approx\.?|roughly|nearly|almost|over|more than|less than|under|some|circa|ca\.?|~|≈"
    r"|up to|at least|fewer than|above|below|rund|etwa|fast|über|environ|près de|casi|unos)[ \t]?[$€£]?$",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_][^\W_]*+(?:['’-][^\W_]++)*+")
_POSSESSIVE = re.compile(r"['’]s?$")
_GERMAN = frozenset(
    """
    der die das und ist wurde wird von ein eine einen dem den des im nicht mit für auf sich
    """.split()  # noqa: SIM905 (easier to read as text)
)
_BE = frozenset(
    """
    is was are were has had became will did won wrote founded invented discovered built lies
    """.split()  # noqa: SIM905
)
_SINGULAR = frozenset(("is", "was", "has"))
_NO_NAMES = frozenset(
    """
    the a an this that these those it he she they we i you there here in on at by for from with of to and but or as if
    when while although though because since after before during under over both all some many most each every no not
    however therefore thus also its his her their our my your one what who which where how why yes
    """.split()  # noqa: SIM905
)
_STEM = 4
# French and France, Spanish and Spain.
_OF_A_COUNTRY = re.compile(r"(?:ish|ese|ch|sh|iss|ian|an)$")


class Number(NamedTuple):
    """A number as it is written.

    Attributes:
        values: What it may stand for: 1.234 has two readings.
        step: How far it may be rounded; 0 for an exact one.
        span: From … to, of a decade or century; 0, 0 for none.
        written: Its letters.
    """

    values: tuple[float, ...]
    step: float = 0.0
    span: tuple[int, int] = (0, 0)
    written: str = ""


def find_numbers(text: str) -> Iterator[Number]:
    """The numbers of a text that are written with digits; linear time."""
    for match in _NUMBER.finditer(text):
        values = _readings(match["digits"])
        behind, scale = match["behind"] or "", _SCALES.get((match["scale"] or "").casefold(), 1.0)
        span = (0, 0)
        if behind.endswith("century"):
            span = int(values[0] - 1) * 100, int(values[0]) * 100
        elif behind and len(match["digits"]) == 4:
            span = int(values[0]), int(values[0]) + (100 if values[0] % 100 == 0 else 10)
        step = 0.0
        if scale > 1:
            step = (
                scale * 10.0 ** -len(re.split(r"[.,]", match["digits"])[-1])
                if len(values) == 1 and not values[0].is_integer()
                else scale
            )
        elif _HEDGE.search(text, max(match.start() - 20, 0), match.start()):
            digits = re.sub(r"\D", "", match["digits"])
            step = 10.0 ** (len(digits) - len(digits.rstrip("0")))
        yield Number(tuple(value * scale for value in values), step, span, match[0].strip())


def _readings(digits: str) -> tuple[float, ...]:
    plain = re.sub(rf"[{_SPACES}'’]", "", digits)[:40]
    groups = re.split(r"[.,]", plain)
    whole = float("".join(groups))
    if len(groups) == 1:
        return (whole,)
    decimal = float(f"{''.join(groups[:-1])}.{groups[-1]}")
    marks = re.sub(r"\d", "", plain)
    if len(set(marks)) == 1 and all(len(group) == 3 for group in groups[1:]):
        return (whole, decimal) if len(groups) == 2 else (whole,)
    return (decimal,)


def find_number_words(text: str) -> Iterator[tuple[float, str]]:
    """The numbers that are written in words, as "twenty-one" and "three hundred", and their words."""
    total = 0.0
    said: list[str] = []
    for word in re.findall(r"[^\W\d_]+", text.lower()):
        value = _WORDS.get(word, _TENS.get(word, _ELSEWHERE.get(word)))
        if value is not None:
            fits = bool(said) and ((total % 10 == 0 and value < 10) or (total % 100 == 0 and value < 100)) and total
            if said and not fits:
                yield total, " ".join(said)
            total, said = (total + value, [*said, word]) if fits else (value, [word])
        elif said and word == "hundred":
            total, said = total * 100, [*said, word]
        elif said and word in _SCALES:
            total, said = total * _SCALES[word], [*said, word]
        elif said and not (word == "and" and total >= 100):
            yield total, " ".join(said)
            total, said = 0.0, []
    if said:
        yield total, " ".join(said)


def find_months(text: str, *, surely: bool) -> Iterator[int]:
    """The months that a text names; `surely` leaves out words that may be something else."""
    for match in _WORD.finditer(text):
        month = _MONTHS.get(match[0].casefold())
        if month is None:
            continue
        is_dated = text[match.end() : match.end() + 2].strip(" ,.")[:1].isdigit() or _DATED.search(
            text, max(match.start() - 12, 0), match.start()
        )
        if not surely or (match[0][0].isupper() and is_dated):
            yield month
    if not surely:
        yield from (int(month) for _, month, _ in _ISO.findall(text))
        for first, second, _ in _NUMERIC.findall(text):
            yield from (int(first), int(second))


def find_names(text: str) -> Iterator[str]:
    """Words with a capital that are names, as far as rules can tell; none of German, where nouns have one too."""
    words = [(match[0], match.start()) for match in _WORD.finditer(text)]
    if sum(word.lower() in _GERMAN for word, _ in words) * 6 >= len(words):
        return
    for (word, place), following in pairwise([*words, ("", len(text))]):
        if not word[0].isupper() or len(word) < 2 or word.casefold() in _MONTHS:
            continue
        if _begins(text, place) and not word[1:].isupper():
            is_singular = following[0] in _SINGULAR or (following[0] in _BE and word[-1] != "s")
            is_followed = following[0][:1].isupper() and text[place + len(word) : following[1]].isspace()
            is_subject = is_singular or is_followed
            if not is_subject or word.lower() in _NO_NAMES:
                continue
        yield word


def _begins(text: str, place: int) -> bool:
    """Whether a sentence, a cell or a quotation begins at a place."""
    before = text[:place].rstrip(" \t\n*_#>-")[-1:]
    return not before or before in ".!?:;|(\"“„«'‘。！？•…"


def _counted(text: str) -> Iterator[tuple[float, str]]:
    """Numbers up to ten, in digits or words, and the stem of the word behind each."""
    for match in _COUNTED.finditer(text.lower()):
        value = float(match[1]) if match[1].isdigit() else _WORDS.get(match[1], _ELSEWHERE.get(match[1]))
        if value is not None and value <= SMALL and match[2] not in _NO_NAMES:
            yield float(value), match[2].rstrip("s")


_COUNTED = re.compile(r"(?<![\w.,])(\d{1,2}|[^\W\d_]{3,8})[ -](?=([^\W\d_]{3,30}))")


class Shown:
    """Numbers, months and names of texts that show something.

    Args:
        texts: The texts.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        text = " \n ".join(texts)
        self.numbers: set[float] = set()
        for number in find_numbers(text):
            self.numbers.update(number.values)
        for first, second, year in _NUMERIC.findall(text):
            self.numbers.update(map(float, (first, second, year)))
        for grouped in re.findall(rf"(?<!\d)\d++(?:[{_SPACES}]\d++)+", text):
            self.numbers.update(float(part[:40]) for part in grouped.split())
        self.numbers.update(value for value, _ in find_number_words(text))
        self.months = set(find_months(text, surely=False))
        self._counts: dict[str, set[float]] = {}
        for value, noun in _counted(text):
            self._counts.setdefault(noun, set()).add(value)
        self._stems: dict[str, set[str]] = {}
        initials: list[str] = []
        self._capitals: set[str] = set()
        for word in _WORD.findall(text):
            initials += word[0] if word[0].isupper() else ""
            self._capitals.update([_plain(word)] if word[0].isupper() else ())
            for part in {word, *re.split(r"['’-]", word)}:
                low = _plain(part)
                self._stems.setdefault(low[:_STEM], set()).add(low)
        self._initials = "".join(initials)

    def has_number(self, number: Number) -> bool:
        """Whether a number is among them, as exact as it is written."""
        if not self.numbers.isdisjoint(number.values):
            return True
        low, high = number.span
        if any(low <= value < high for value in self.numbers):
            return True
        return number.step > 0 and any(
            abs(value - other) <= number.step / 2 for value in number.values for other in self.numbers
        )

    def has_date(self, first: int, second: int, year: int) -> bool:
        """Whether a day, month and year are among them, in whichever order the first two are written."""
        days = [day for day, month in ((first, second), (second, first)) if month in self.months]
        return year in self.numbers and any(day in self.numbers for day in days)

    def counts_otherwise(self, value: float, noun: str) -> bool:
        """Whether there are other numbers of the same things and not this one, or of a measure not this one."""
        if noun in self._counts:
            return value not in self._counts[noun]
        return value not in self.numbers and noun.startswith(_MEASURES)

    def has_name(self, name: str) -> bool:
        """Whether a name is among them, or a word that it comes from."""
        return all(self._has_word(part) for part in re.split(r"['’-]", _POSSESSIVE.sub("", name)) if len(part) > 1)

    def _has_word(self, word: str) -> bool:
        low = _plain(word)
        alike = self._stems.get(low[:_STEM], ())
        if low in alike or (word.isupper() and word in self._initials):
            return True
        if _OF_A_COUNTRY.search(low) and any(one.startswith(low[:2]) for one in self._capitals):
            return True
        return len(low) >= _STEM and any(
            len(one) >= _STEM
            and low[: max(_STEM, min(len(low), len(one)) - 2)] == one[: max(_STEM, min(len(low), len(one)) - 2)]
            for one in alike
        )


def _plain(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(one for one in decomposed if not unicodedata.combining(one))


class Missing(NamedTuple):
    """What of a sentence is not shown; false where nothing is missing."""

    numbers: tuple[Number, ...] = ()
    months: tuple[int, ...] = ()
    names: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.numbers or self.months or self.names)


def missing(sentence: str, shown: Shown, *, names: bool = True) -> Missing:
    """Numbers, months and names of a sentence that stand nowhere in what is to show it."""
    written = [Number((value,), written=words) for value, words in find_number_words(sentence) if value > SMALL]
    dates = [date for date in _NUMERIC.finditer(sentence) if shown.has_date(*map(int, date.groups()))]
    plain = _ISO.sub(r"\1 \3", sentence)
    for date in dates:
        plain = plain.replace(date[0], " ")
    numbers = [number for number in [*find_numbers(plain), *written] if not shown.has_number(number)]
    others = [(value, noun) for value, noun in _counted(sentence) if shown.counts_otherwise(value, noun)]
    numbers += [Number((value,), written=noun) for value, noun in others]
    dated = [*find_months(sentence, surely=True), *(int(month) for _, month, _ in _ISO.findall(sentence))]
    months = [month for month in dated if month not in shown.months]
    unknown = [name for name in find_names(sentence) if not shown.has_name(name)] if names else []
    return Missing(tuple(numbers), tuple(months), tuple(unknown))
