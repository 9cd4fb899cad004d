import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.errors import ConfigError
from jina_components.search_options import SearchOptions
from jina_components.types import SearchResult
from jina_components.web_search.merging import merge
from jina_components.web_search.provider import Capabilities, with_operators


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "videos"}, {"count": 0}, {"count": 101}, {"count": True}, {"page": 0}, {"country": "usa"},
        {"language": "english language"}, {"location": "a\nb"}, {"sites": "a.org"}, {"sites": ("a b",)},
        {"sites": ("",)}, {"sites": ("http://[",)}, {"sites": (3,)}, {"file_types": ("p d",)},
        {"in_title": ('a" OR "b',)}, {"in_title": ("",)}, {"time_range": "decade"}, {"safe": "on"}, {"deadline": 0},
        {"deadline": 181},
    ],
)  # fmt: skip
def test_what_makes_no_sense(options):
    with pytest.raises(ConfigError):
        SearchOptions(**options)


def test_values_are_brought_into_form():
    options = SearchOptions(
        country="de", sites=("https://Example.com:443/docs/?a", "example.com/docs", ".gov"), file_types=[".PDF"]
    )
    assert options.country == "DE"
    assert options.sites == ("example.com/docs", "gov")
    assert options.file_types == ("pdf",)
    assert hash(options) == hash(SearchOptions(country="DE", sites=("example.com/docs", "gov"), file_types=("pdf",)))


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, "rain"),
        ({"sites": ("a.org",)}, "rain site:a.org"),
        ({"sites": ("a.org", "b.org")}, "rain site:a.org OR site:b.org"),
        (
            {"sites": ("a.org", "b.org"), "file_types": ("pdf",), "in_title": ("heavy rain",)},
            'rain (site:a.org OR site:b.org) AND (filetype:pdf) AND (intitle:"heavy rain")',
        ),
        ({"in_title": ("rain", "a\tsite:b.org", "x)")}, 'rain intitle:rain OR intitle:"a\tsite:b.org" OR intitle:"x)"'),
    ],
)
def test_operators(options, wanted):
    assert with_operators("rain", SearchOptions(**options)) == wanted


def test_options_are_fitted():
    able = Capabilities(
        kinds={"web": 20, "images": 5}, options=frozenset({"page", "time_range"}), time_ranges=("week",),
        except_for={"images": frozenset({"page"})},
    )  # fmt: skip
    assert able.fit(SearchOptions(page=2)) == (SearchOptions(page=2), ())
    assert able.fit(SearchOptions(page=2, kind="images")) == (
        SearchOptions(kind="images", count=5),
        ("does not know page", "gives at most 5 results"),
    )
    assert able.fit(SearchOptions(time_range="day"))[0].time_range == "week"
    fitted, (note,) = able.fit(SearchOptions(time_range="year"))
    assert fitted.time_range == ""
    assert note == "does not know the time range 'year' and was asked for 'any'"


def hits(*urls, **fields):
    return [SearchResult(url, **fields) for url in urls]


def test_a_page_comes_once_with_what_each_says():
    first = SearchResult("https://www.a.org/x?utm_source=b", "Rain", providers=("one",))
    second = SearchResult("http://a.org/x/", "Other", "It falls.", image_width=3, providers=("two",))
    (together,) = merge([[first, first], [second]], SearchOptions())
    assert together == SearchResult(first.url, "Rain", "It falls.", image_width=3, providers=("one", "two"))


def test_what_several_find_comes_first():
    rankings = [hits("https://a.org", "https://b.org"), hits("https://c.org", "https://b.org")]
    assert [hit.url for hit in merge(rankings, SearchOptions())] == ["https://b.org", "https://a.org", "https://c.org"]
    assert [hit.url for hit in merge(rankings, SearchOptions(count=1))] == ["https://b.org"]


def test_images_of_one_page_are_several():
    found = [SearchResult("https://a.org", image_url=f"https://a.org/{name}.png") for name in "xyx"]
    assert len(merge([found], SearchOptions(kind="images"))) == 2
    assert len(merge([found], SearchOptions())) == 1


@given(st.lists(st.lists(st.sampled_from([f"https://a.org/{number}" for number in range(8)]), max_size=8), max_size=4))
def test_merging_keeps_each_page_once(lists):
    found = merge([hits(*urls) for urls in lists], SearchOptions())
    assert len({hit.url for hit in found}) == len(found)
    assert {hit.url for hit in found} == {url for urls in lists for url in urls}


@given(st.lists(st.sampled_from([f"https://a.org/{number}" for number in range(8)]), unique=True))
def test_merging_one_ranking_keeps_its_order(urls):
    assert [hit.url for hit in merge([hits(*urls)], SearchOptions())] == urls
