import pytest

from jina_components.errors import InputError
from jina_components.grounder.references import sort_references
from jina_components.types import Document


def test_references_by_their_kind():
    wanted = sort_references(
        [
            "https://a.example/page",
            "example.com",
            "docs.example.co.uk/guide",
            "Titan is a moon. It is large.",
            Document("Text of mine.", "mine"),
            " HTTPS://A.example/x ",
            "example.com",
            "münchen.de",
        ]
    )
    assert wanted.urls == ("https://a.example/page", "HTTPS://A.example/x")
    assert wanted.hosts == ("example.com", "docs.example.co.uk/guide", "münchen.de")
    assert [source.text for source in wanted.texts] == ["Titan is a moon. It is large.", "Text of mine."]
    assert wanted.texts[1].url == "mine"


@pytest.mark.parametrize(
    ("references", "said"),
    [
        ("https://a.example", "must be a list"),
        (None, "must be a list"),
        ([], "is empty"),
        (["a.example", " "], r"references\[1\] is empty"),
        ([Document(" ", "id")], r"references\[0\] is empty"),
        ([3], r"references\[0\] must be str or Document"),
    ],
)
def test_what_is_no_reference(references, said):
    with pytest.raises(InputError, match=said):
        sort_references(references)
