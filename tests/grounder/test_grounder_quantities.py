"""Numbers, dates and measures: what is read, and what agrees with what."""

from __future__ import annotations

import sys
import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.grounder.quantities import compare, find_quantities
from jina_components.grounder.units import MONTHS, UNITS

ENGLISH_MONTHS = [next(name for name, number in MONTHS.items() if number == month) for month in range(1, 13)]


def one(text):
    [found] = find_quantities(text)
    return found


def said_of(claim, evidence):
    found = compare(find_quantities(claim), find_quantities(evidence))
    if found.contradicted:
        return "contradicted"
    return "confirmed" if found.confirmed else "open"


@pytest.mark.parametrize(
    ("text", "dimension", "low", "high"),
    [
        ("1,234.5", "number", 1234.45, 1234.55),
        ("1.234,5", "number", 1234.45, 1234.55),
        ("12,50,000 votes", "number", 1_250_000, 1_250_000),
        ("1 234 567 votes", "number", 1_234_567, 1_234_567),
        ("three hundred and five ships", "number", 305, 305),
        ("twenty-one thousand", "number", 20_500, 21_500),
        ("half a million", "number", 450_000, 550_000),
        ("dozens of ships", "number", 24, 144),
        ("٣٥ ships", "number", 35, 35),
        ("the twenty-first attempt", "ordinal", 21, 21),
        ("the 3rd attempt", "ordinal", 3, 3),
        ("-40 °C", "temperature", 232.65, 233.65),
        ("50%", "ratio", 0.495, 0.505),
        ("2½ hours", "time", 9000, 9000),
        ("no more than 20 apples", "number", float("-inf"), 20),
        ("less than 1% of it", "ratio", float("-inf"), 0.01),
        ("over 5 km", "length", 5000, float("inf")),
        ("10⁶ cells", "number", 1e6, 1e6),
        ("10^6 cells", "number", 1e6, 1e6),
        ("3 × 10⁻³ cells", "number", 0.0025, 0.0035),
        ("1'234'567 votes", "number", 1_234_567, 1_234_567),
        ("one hundred percent", "ratio", 0.95, 1.05),
        ("two dozen eggs", "number", 24, 24),
        ("half a dozen eggs", "number", 6, 6),
        ("hundreds of millions", "number", 2e8, 1e9),
        ("two and a half million", "number", 2.45e6, 2.55e6),
        ("2 1/2 hours", "time", 9000, 9000),
        ("between 3 and 5 million", "number", 3e6, 5.5e6),
        ("$3–5 million", "money:USD", 2.5e6, 5.5e6),
        ("1 in 10,000 people", "ratio", 1e-4, 1e-4),
        ("over 5 apples", "number", 6, float("inf")),
        ("10 apples or more", "number", 10, float("inf")),
    ],
)  # fmt: skip
def test_what_is_written_is_an_interval(text, dimension, low, high):
    found = find_quantities(text)[0]
    assert found.dimension == dimension
    assert found.low == pytest.approx(low, rel=2e-2)
    assert found.high == pytest.approx(high, rel=2e-2)


@pytest.mark.parametrize(
    ("claim", "evidence", "said"),
    [
        # numbers in digits and words, rounded, in other languages
        ("Three million people live there.", "It has 3,012,345 people.", "confirmed"),
        ("Four million people live there.", "It has 3,012,345 people.", "contradicted"),
        ("Es kostete 1,5 Mio Euro.", "It cost €1.5 million.", "confirmed"),
        ("It cost $20 million.", "It cost $30m.", "contradicted"),
        ("It cost 20 million dollars.", "It cost 20 million euros.", "open"),
        ("It has twelve strings.", "It has 12 strings.", "confirmed"),
        ("It has a dozen strings.", "It has 12 strings.", "confirmed"),
        ("It has twelve strings.", "It has two necks.", "open"),
        # units and their conversion
        ("It is 26 miles long.", "The route is 42 km.", "confirmed"),
        ("It is 26 miles long.", "The route is 26 km.", "contradicted"),
        ("Water boils at 100 °C.", "It boils at 212 degrees Fahrenheit.", "confirmed"),
        ("It weighs 15 kg.", "It weighs 33 lb.", "confirmed"),
        ("It weighs 15 kg.", "It weighs 15 lb.", "contradicted"),
        ("It runs 90 km/h.", "It runs 56 mph.", "confirmed"),
        ("It lasts 2½ hours.", "It lasts 150 minutes.", "confirmed"),
        ("He is 178 cm tall.", "He stands 5 feet 10 inches tall.", "confirmed"),
        ("He is 178 cm tall.", "He stands 5 feet 2 inches tall.", "contradicted"),
        ("It lasts 150 minutes.", "It lasts 2 hours and 30 minutes.", "confirmed"),
        ("It covers 2 square miles.", "It covers 5.2 km².", "confirmed"),
        # dates, partial and in many forms
        ("It opened in 1932.", "It opened in March 1932.", "confirmed"),
        ("It opened on 19 March 1932.", "It opened on March 19, 1932.", "confirmed"),
        ("It opened on 19 March 1932.", "It opened on 1932-03-19.", "confirmed"),
        ("It opened on 19 March.", "It opened on 19.03.1932.", "confirmed"),
        ("It opened on 20 March.", "It opened on 19.03.1932.", "contradicted"),
        ("Es begann am 3. Oktober 1990.", "It began on 3 October 1990.", "confirmed"),
        ("It opened in 1952.", "It opened in March 1932.", "contradicted"),
        ("It opened in the 1930s.", "It opened in 1932.", "confirmed"),
        ("It opened in the 20th century.", "It opened in 1932.", "confirmed"),
        ("It opened in the 19th century.", "It opened in 1932.", "contradicted"),
        ("He died in 44 BC.", "He died in AD 44.", "contradicted"),
        ("The war lasted until 1916.", "The war of 1914–18.", "confirmed"),
        # comparison words
        ("It has over 50 rooms.", "It has 62 rooms.", "confirmed"),
        ("It has over 50 rooms.", "It has 50 rooms.", "contradicted"),
        ("It has at least 50 rooms.", "It has 50 rooms.", "confirmed"),
        ("It is over 5 km long.", "It is 5.2 km long.", "confirmed"),
        ("Over 3 million people live there.", "It has 3,012,345 people.", "confirmed"),
        ("It has fewer than 50 rooms.", "It has 62 rooms.", "contradicted"),
        ("It has about 60 rooms.", "It has 62 rooms.", "confirmed"),
        ("It has between 50 and 70 rooms.", "It has 62 rooms.", "confirmed"),
        ("It opened before 1940.", "It opened in 1932.", "confirmed"),
        ("It opened after 1940.", "It opened in 1932.", "contradicted"),
        # fractions and percentages
        ("Two thirds voted for it.", "67% voted for it.", "confirmed"),
        ("Half of all voted for it.", "67% voted for it.", "contradicted"),
        ("1 in 5 voted for it.", "20 percent voted for it.", "confirmed"),
        # ordinals
        ("She was the second president.", "She was the 2nd president.", "confirmed"),
        ("She was the first president.", "She was the third president.", "contradicted"),
    ],
)
def test_agreement(claim, evidence, said):
    assert said_of(claim, evidence) == said


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "COVID-19", "H1N1", "version 1.2.3", "No one knows.", "One of them left.", "6'2", "②", "9" * 50,
        "\x00", "\ud800",
    ],
)  # fmt: skip
def test_what_is_no_quantity(text):
    assert find_quantities(text) == ()


@given(st.integers(0, 10**12))
def test_every_way_to_write_an_integer_means_the_same(number):
    texts = [f"It has {written} rooms." for written in (number, f"{number:,}", f"{number:,}".replace(",", "\u202f"))]
    if number < 1000 or number >= 10_000:  # 4,321 is one number and 4 321 too, but 1932 rooms might be a year's
        assert len({(one(text).low, one(text).high) for text in texts}) == 1
    assert one(f"{number:,} rooms").meets(one(f"{number:,} rooms"))


@given(st.floats(0.1, 1e6), st.sampled_from([("km", "miles"), ("kg", "lb"), ("litres", "gallons"), ("hours", "days")]))
def test_a_conversion_agrees_and_a_tenth_more_does_not(value, pair):
    here, there = (UNITS[name] for name in pair)
    other = value * here.factor / there.factor
    assert one(f"{value:.4f} {pair[0]}").meets(one(f"{other:.8f} {pair[1]}"))
    assert not one(f"{value:.4f} {pair[0]}").meets(one(f"{other * 1.1:.8f} {pair[1]}"))


@given(
    st.dates(date(1000, 1, 1), date(2099, 12, 31)),
    st.sampled_from(["{d} {m} {y}", "{m} {d}, {y}", "{y:04}-{n:02}-{d:02}", "{d:02}.{n:02}.{y:04}"]),
)
def test_every_way_to_write_a_date_means_the_same(day, form):
    month = ENGLISH_MONTHS[day.month - 1].title()
    found = one(form.format(d=day.day, m=month, y=day.year, n=day.month))
    plain = one(f"{day.year:04}-{day.month:02}-{day.day:02}")
    assert (found.dimension, found.low, found.high) == (plain.dimension, plain.low, plain.high)
    assert one(f"{month} {day.year}").meets(found)
    assert one(f"the year {day.year}").meets(found)


@given(st.text())
def test_any_text_is_read_and_places_are_within_it(text):
    for found in find_quantities(text):
        assert 0 <= found.start < found.end <= len(text)
        assert found.low <= found.high


@pytest.mark.parametrize(
    "piece",
    ["1", "1,", "1.", "one ", "hundred and ", "twenty-", "1-", "between 1 and ", "a ", "1/2", "½", "March ", "5 March ",
     "0" * 40 + " ", "1 in ", "more than ", "-", "$", "million ", "10^", "10⁶", "10^1×", "hundreds of ", "5 feet ",
     "two and a half ", "1 million ", "\u00a0", "1 000 "],
)  # fmt: skip
def test_time_is_linear(piece):
    def seconds(length):
        text = piece * (length // len(piece))
        started = time.process_time()
        find_quantities(text)
        return time.process_time() - started

    short, long = (min(seconds(length) for _ in range(3)) for length in (4_000, 16_000))
    assert long < 12 * max(short, 0.01)


def test_every_character_is_read():
    text = " 1".join(map(chr, range(0, sys.maxunicode + 1, 23)))
    assert find_quantities(text)
