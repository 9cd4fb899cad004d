from jina_components import Document
from jina_components.core.quotable import Span
from jina_components.deep_search.citing.citations import cite, number
from jina_components.types import Citation

PAGE = "Titan is a moon. Huygens landed on Titan in 2005."


def quoted(words, source="a", score=1.0):
    return Citation(words, source, 0, len(words), source, score=score)


def test_a_citation_has_its_place_in_the_source():
    text = PAGE[17:]
    chunk = Document(
        text,
        "chunk",
        {"source": "https://moons.org", "start": 17, "end": len(PAGE), "title": "Moons", "page": 3,
         "published_time": "2020-01-02"},
    )  # fmt: skip
    citation = cite(chunk, Span(0, 7), score=0.5)
    assert PAGE[citation.start : citation.end] == citation.quote == "Huygens"
    assert (citation.source, citation.title, citation.page) == ("https://moons.org", "Moons", 3)
    assert (citation.published_time, citation.score, citation.document_id) == ("2020-01-02", 0.5, "chunk")


def test_metadata_of_another_kind_is_left_out_and_scores_stay_in_range():
    citation = cite(Document("Titan.", "t", {"page": "iv", "published_time": 2020}), Span(0, 6), score=1.2)
    assert (citation.page, citation.published_time, citation.score, citation.source) == (None, "", 1.0, "t")


def test_numbers_go_by_first_use_and_equal_quotes_share_one():
    one, two, same = quoted("one"), quoted("two"), quoted("one", score=0.5)
    citations, rows = number([[two], [], [one, two], [same]], limit=10)
    assert citations == (two, one)
    assert rows == [(1,), (), (1, 2), (2,)]


def test_where_there_are_too_many_the_first_of_each_sentence_stay():
    citations, rows = number([[quoted("a"), quoted("b")], [quoted("c"), quoted("d")], [quoted("e")]], limit=2)
    assert [citation.quote for citation in citations] == ["a", "c"]
    assert rows == [(1,), (2,), ()]
