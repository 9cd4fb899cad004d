import pytest

from jina_components.errors import BackendError, InputError
from jina_components.grounder.sources import Source, check_quotes, sort_references
from jina_components.types import Document, Reference


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
        (["Titan is a moon.", "Titan \ud800 is."], r"references\[1\] is not valid Unicode"),
        (["file:///etc/passwd"], r"references\[0\]: 'file:///etc/passwd' is no http or https URL"),
        (["FTP://a.example/x"], "is no http or https URL"),
    ],
)
def test_what_is_no_reference(references, said):
    with pytest.raises(InputError, match=said):
        sort_references(references)


@pytest.mark.parametrize(
    "reference",
    [
        Reference("u", "moon", True, 0.9, 2, 6),
        Reference("u", "Moon", True, 0.9, 1, 5),
        Reference("v", "moon", True, 0.9, 1, 5),
        Reference("u", "", True, 0.9, 1, 1),
        Reference("u", "n", True, 0.9, -1, 0),
    ],
)
def test_a_quote_that_stands_elsewhere_is_the_judges_fault(reference):
    check_quotes([Reference("u", "moon", True, 0.9, 1, 5)], [Source("u", "xmoon")])
    with pytest.raises(BackendError, match="does not stand at"):
        check_quotes([reference], [Source("u", "xmoon")])
