"""Tables of what stands beside a number: magnitudes, units with their conversion, currencies, months, hedges."""

from __future__ import annotations

import math
from typing import NamedTuple


class Unit(NamedTuple):
    """A unit of measure: `value * factor + offset` is the same amount in the base unit of its dimension."""

    dimension: str
    factor: float = 1.0
    offset: float = 0.0


def _units(dimension: str, *rows: tuple[str, float]) -> dict[str, Unit]:
    return {name: Unit(dimension, factor) for names, factor in rows for name in names.split()}


_MINUTE, _HOUR, _DAY, _YEAR = 60.0, 3600.0, 86400.0, 31_556_952.0
UNITS: dict[str, Unit] = {
    **_units(
        "length",
        ("m metre metres meter meters", 1), ("km kilometre kilometres kilometer kilometers kilometern", 1000),
        ("cm centimetre centimetres centimeter centimeters", 0.01), ("mm millimetre millimetres millimeter", 0.001),
        ("µm μm micrometre micrometres micrometer micrometers micron microns", 1e-6),
        ("nm nanometre nanometres nanometer nanometers", 1e-9), ("mi mile miles meile meilen", 1609.344),
        ("ft foot feet", 0.3048), ("inch inches", 0.0254), ("yd yds yard yards", 0.9144),
        ("ly lightyear lightyears", 9.4607e15),
    ),
    **_units(
        "mass",
        ("g gram grams gramm", 0.001), ("kg kgs kilogram kilograms kilo kilos kilogramm", 1),
        ("mg milligram milligrams", 1e-6),
        ("µg μg mcg microgram micrograms", 1e-9), ("t tonne tonnes tonnen", 1000), ("ton tons", 1000),
        ("lb lbs pound pounds", 0.45359237), ("oz ounce ounces", 0.0283495), ("stone", 6.35029),
    ),
    **_units(
        "time",
        ("second seconds sec secs sekunden", 1), ("ms millisecond milliseconds", 0.001),
        ("minute minutes min mins minuten", _MINUTE), ("hour hours hr hrs h stunde stunden", _HOUR),
        ("day days tag tage tagen", _DAY), ("week weeks wochen", 7 * _DAY), ("month months monate", _YEAR / 12),
        ("year years yr yrs jahr jahre jahren", _YEAR), ("decade decades", 10 * _YEAR),
        ("century centuries", 100 * _YEAR),
    ),
    **_units("area", ("hectare hectares ha", 1e4), ("acre acres", 4046.856)),
    **_units(
        "volume",
        ("l litre litres liter liters", 1), ("ml millilitre millilitres milliliter milliliters", 0.001),
        ("gallon gallons gal", 3.785412), ("pint pints", 0.473176), ("barrel barrels", 158.987),
    ),
    **_units("speed", ("kmh kph", 1 / 3.6), ("mph", 0.44704), ("knot knots", 0.514444)),
    **_units(
        "data",
        ("byte bytes", 1), ("kb kilobyte kilobytes", 1e3), ("mb megabyte megabytes", 1e6),
        ("gb gigabyte gigabytes", 1e9), ("tb terabyte terabytes", 1e12),
    ),
    **_units("power", ("w watt watts", 1), ("kw kilowatt kilowatts", 1e3), ("mw megawatt megawatts", 1e6),
             ("gw gigawatt gigawatts", 1e9), ("hp horsepower", 745.7)),
    **_units("ratio", ("percent percentage prozent pct", 0.01)),
    "°c": Unit("temperature", 1.0, 273.15), "℃": Unit("temperature", 1.0, 273.15),
    "celsius": Unit("temperature", 1.0, 273.15),
    "°f": Unit("temperature", 5 / 9, 459.67 * 5 / 9), "℉": Unit("temperature", 5 / 9, 459.67 * 5 / 9),
    "fahrenheit": Unit("temperature", 5 / 9, 459.67 * 5 / 9),
    "kelvin": Unit("temperature"),
    "%": Unit("ratio", 0.01), "‰": Unit("ratio", 0.001),
}  # fmt: skip
SQUARED = {name: Unit("area", unit.factor**2) for name, unit in UNITS.items() if unit.dimension == "length"}
CUBED = {name: Unit("volume", unit.factor**3 * 1000) for name, unit in UNITS.items() if unit.dimension == "length"}
"""Of a length, once "square", "cubic", ² or ³ stands beside it."""
PER_HOUR = {name: Unit("speed", unit.factor / _HOUR) for name, unit in UNITS.items() if unit.dimension == "length"}
PER_SECOND = {name: Unit("speed", unit.factor) for name, unit in UNITS.items() if unit.dimension == "length"}

_CURRENCIES = {
    "USD": "$ us$ usd dollar dollars", "EUR": "€ eur euro euros", "GBP": "£ gbp sterling quid", "JPY": "¥ jpy yen",
    "INR": "₹ inr rupee rupees", "CHF": "chf franken", "CNY": "cny rmb yuan renminbi", "KRW": "₩ krw won",
    "RUB": "₽ rub rouble roubles ruble rubles", "cent": "cent cents ¢",
}  # fmt: skip
CURRENCIES = {name: code for code, names in _CURRENCIES.items() for name in names.split() if name != "won"}
CURRENCY_SIGNS = frozenset("$€£¥₹₩₽")

_MAGNITUDES = {
    1e3: "thousand thousands tausend k tsd mille mil", 1e5: "lakh lakhs", 1e7: "crore crores",
    1e6: "million millions millionen mio mn mln millones", 1e9: "billion billions bn mrd milliarde milliarden",
    1e12: "trillion trillions tn",
    1e4: "万 萬", 1e8: "億 亿",
}  # fmt: skip
MAGNITUDES = {name: value for value, names in _MAGNITUDES.items() for name in names.split()}
SHORT_MAGNITUDES = {"m": 1e6, "b": 1e9, "k": 1e3}
"""After an amount of money; elsewhere m is a metre."""

_ONES = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen
    """
_TENS = """twenty thirty forty fifty sixty seventy eighty ninety"""
ONES = {name: value for value, name in enumerate(_ONES.split())}
TENS = {name: value for value, name in zip(range(20, 100, 10), _TENS.split(), strict=True)}
_IRREGULAR = {"first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12}
ORDINALS = {
    **{f"{name}th": value for name, value in ONES.items() if value > 3 and value not in _IRREGULAR.values()},
    **{f"{name[:-1]}ieth": value for name, value in TENS.items()},
    **_IRREGULAR,
    "hundredth": 100,
    "thousandth": 1000,
}
FRACTIONS = {
    "half": 0.5, "halves": 0.5, "third": 1 / 3, "thirds": 1 / 3, "quarter": 0.25, "quarters": 0.25, "fourth": 0.25,
    "fourths": 0.25, "fifth": 0.2, "fifths": 0.2, "sixth": 1 / 6, "sixths": 1 / 6, "eighth": 0.125, "eighths": 0.125,
    "tenth": 0.1, "tenths": 0.1, "hundredth": 0.01,
}  # fmt: skip
VAGUE = {
    "dozens": (24.0, 144.0), "hundreds": (200.0, 1000.0), "thousands": (2e3, 1e6), "millions": (2e6, 1e9),
    "billions": (2e9, 1e12), "couple": (2.0, 2.0), "pair": (2.0, 2.0), "tens": (20.0, 100.0),
}  # fmt: skip
"""Amounts without a number beside them: from … to."""

_MONTHS = (
    "january jan januar janvier enero", "february feb februar février febrero", "march mar märz mars marzo",
    "april apr avril abril", "may mai mayo", "june jun juni juin junio", "july jul juli juillet julio",
    "august aug août agosto", "september sep sept septembre septiembre", "october oct oktober octobre octubre",
    "november nov novembre noviembre", "december dec dezember décembre diciembre",
)  # fmt: skip
MONTHS = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}


class Hedge(NamedTuple):
    """What a comparison word makes of an amount: below or above it, with it or without, or about it."""

    below: bool = False
    above: bool = False
    included: bool = True
    spread: float = 0.0


_OVER, _UNDER = Hedge(above=True, included=False), Hedge(below=True, included=False)
_FROM, _UP_TO, _ABOUT, _NEARLY = Hedge(above=True), Hedge(below=True), Hedge(spread=0.1), Hedge(spread=0.1)
HEDGES: dict[tuple[str, ...], Hedge] = {
    tuple(words.split()): hedge
    for hedge, phrases in (
        (_OVER, "over|more than|above|exceeding|exceeds|exceeded|greater than|higher than|larger than|upwards of|>"),
        (_OVER, "after|later than|longer than|older than|mehr als|über"),
        (_UNDER, "under|less than|fewer than|below|lower than|smaller than|<|before|prior to|earlier than"),
        (_UNDER, "shorter than|younger than|weniger als|unter"),
        (_FROM, "at least|no fewer than|no less than|not less than|a minimum of|minimum of|≥|mindestens|as many as"),
        (_UP_TO, "at most|no more than|not more than|up to|a maximum of|maximum of|≤|höchstens|by"),
        (_ABOUT, "about|around|approximately|approx|roughly|some|circa|ca|c|~|≈|estimated|an estimated|rund|etwa"),
        (_NEARLY, "nearly|almost|close to|just over|just under|slightly more than|slightly less than|fast"),
    )
    for words in phrases.split("|")
}  # fmt: skip
LONGEST_HEDGE = max(map(len, HEDGES))
DATED_HEDGES = frozenset({("before",), ("after",), ("by",), ("prior", "to"), ("earlier", "than"), ("later", "than")})
"""These bound a date, and no other amount."""
INFINITY = math.inf
