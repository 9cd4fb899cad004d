import pytest

from jina_components.core.origins import Origin, origin_of
from jina_components.types import Document


@pytest.mark.parametrize(
    ("metadata", "origin"),
    [
        ({}, Origin("id")),
        ({"source": "a.md", "start": 7, "end": 11, "title": "T", "heading": "H"}, Origin("a.md", 7, "T", "H")),
        ({"source": "a.md"}, Origin("a.md")),
        ({"source": "a.md", "start": 7, "end": 99}, Origin("id")),  # changed after it was cut
        ({"source": "a.md", "start": -3}, Origin("id")),
        ({"source": "film.srt", "start": "00:01", "end": "00:09"}, Origin("id")),  # times, not places
        ({"source": "film.srt", "start": 0, "end": 12.5}, Origin("id")),
        ({"source": 3, "title": 4, "heading": None}, Origin("id")),
    ],
)
def test_where_a_document_comes_from(metadata, origin):
    assert origin_of(Document("text", "id", metadata)) == origin
