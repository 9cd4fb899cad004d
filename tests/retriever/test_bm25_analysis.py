"""Terms of texts of many scripts, of code, and of texts made to be hard."""

import sys
import threading
import time
import unicodedata
from dataclasses import asdict

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jina_components.errors import MissingDependencyError, UnknownNameError
from jina_components.retriever.bm25 import Analyzer, analysis


def terms(text):
    return Analyzer().terms(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cat's 2nd toy.", ["the", "cat", "s", "2nd", "toy"]),
        ("Ｃａｆｅ\u0301 ΣΊΣΥΦΟΣ Straße", ["cafe", "σισυφοσ", "strasse"]),
        ("Beyoncé Søren Łódź Việt", ["beyonce", "soren", "lodz", "viet"]),
        ("мой ёж", ["мой", "ёж"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("كِتاب كتاب", ["كتاب", "كتاب"]),
        ("co\u00adop\u200dt ❤\ufe0f 1\ufe0f\u20e3", ["coopt", "1"]),
        ("don’t don´t don't", ["don", "t"] * 3),
        ("a\x00b\x1cc\ud800d", ["a", "b", "c", "d"]),
        ("\u0301 \u0301x", ["x"]),
        ("!? …", []),
        ("", []),
    ],
)
def test_words(text, expected):
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京都 is 広い", ["東京", "京都", "東", "京", "都", "is", "広い", "広"]),
        ("東", ["東"]),
        ("ジョン・スミス", ["ジョ", "ョン", "スミ", "ミス"]),
        ("ﾄﾖﾀ", ["トヨ", "ヨタ"]),
        ("佐々", ["佐々", "佐"]),
        ("葛\U000e0100城", ["葛城", "葛", "城"]),
        ("abc東京def", ["abc", "東京", "東", "京", "def"]),
        ("한국어는 K", ["한국", "국어", "어는", "k"]),
        ("สวย", ["สว", "วย"]),
        ("\U00020000\U00020001", ["\U00020000\U00020001", "\U00020000", "\U00020001"]),
    ],
)
def test_scripts_without_spaces(text, expected):
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("snake_case __init__", ["snake", "case", "init"]),
        ("getHTTPResponse(x)", ["gethttpresponse", "get", "http", "response", "x"]),
        ("MyClass é", ["myclass", "my", "class", "e"]),
        ("NASA USA2 URLs 2A", ["nasa", "usa2", "urls", "2a"]),
    ],
)
def test_names_in_code(text, expected):
    assert terms(text) == expected


@given(st.text(st.characters(codec="cp1252"), max_size=30))
def test_the_fast_way_gives_the_same(text):
    fast = analysis._western_words(text)
    assert fast is None or fast == analysis._words(text, fold=True)


@given(st.text(max_size=40))
@example("กำ")
def test_a_term_holds_no_white_space_and_is_a_term_itself(text):
    for term in terms(text):
        assert term.split() == [term]
        # The second of two pairs, as of Thai, may begin with the mark that the first ends with.
        assert term in terms(term) or unicodedata.category(term[0])[0] == "M"


@pytest.mark.parametrize(
    "part",
    ["a\u0300\u0327", "\u0300\u0327", "aA", "a", "é", "東", "\U00020000", "_", "\u00ad", "Aa ", "\U0001d165\U0001d16d"],
)
def test_time_is_linear(part):
    started = time.process_time()
    terms("x" + part * (1_000_000 // len(part)) + "B")
    assert time.process_time() - started < 20  # a second or less on an idle machine; the square would be hours


def test_stemming():
    stemmer = pytest.importorskip("Stemmer")
    assert stemmer.algorithms()
    assert Analyzer(stemming="english").terms("Running cats, Beyoncé") == ["run", "cat", "beyonc"]
    assert Analyzer(stemming="french").terms("les élèves étaient") == ["le", "elev", "etaient"]


def test_stemming_in_threads():
    pytest.importorskip("Stemmer")
    analyzer, found = Analyzer(stemming="english"), []
    threads = [threading.Thread(target=lambda: found.append(analyzer.terms("running cats"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["run", "cat"]] * 4


def test_unknown_language():
    pytest.importorskip("Stemmer")
    with pytest.raises(UnknownNameError, match="Did you mean 'english'"):
        Analyzer(stemming="englisch")


def test_stemming_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "Stemmer", None)
    with pytest.raises(MissingDependencyError, match=r"jina-components\[stem\]"):
        Analyzer(stemming="danish")  # which no other test has loaded


def test_settings_can_be_written_and_compared():
    assert Analyzer(**asdict(Analyzer())) == Analyzer()
    assert {Analyzer(): 1}[Analyzer()] == 1
