from pathlib import Path

import pytest

from jina_components.errors import BackendError, InputError
from jina_components.grounder.sources import Source, check_quotes, sort_references
from jina_components.types import Document, Page, Reference


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


def test_texts_without_a_name_are_known_by_their_place():
    titled = Document("Titan has an atmosphere.", metadata={"title": "Moons"})
    chunk = Document("It is large.", metadata={"source": "moons.md", "start": 5, "end": 17})
    texts = ["example.com", "Titan is a moon.", titled, chunk, Document("Mine.", "mine"), "Titan is a moon."]
    wanted = sort_references([*texts, Page("", "", "Read from bytes."), Page("https://x/", "X", "Read.")])
    assert [(source.url, source.title, source.start) for source in wanted.texts] == [
        ("references[1]", "", 0),
        ("references[2]", "Moons", 0),
        ("moons.md", "", 5),
        ("mine", "", 0),
        ("references[6]", "", 0),
        ("https://x/", "X", 0),
    ]


def test_files_are_read_where_they_are_paths_and_hinted_at_where_they_are_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("notes.md").write_text("Titan is a moon.")
    absolute = str(tmp_path / "notes.md")
    assert sort_references([Path("notes.md"), Path(absolute)]).urls == ("notes.md", absolute)
    assert sort_references([Path("notes.md")]).hints == ()
    wanted = sort_references(["notes.md", absolute, "gone.md", "a\0b", "x" * 5000])
    assert wanted.hosts == ("notes.md", "gone.md")
    assert len(wanted.hints) == 2
    assert wanted.hints[0].startswith("references[0] is taken for a host to search. To read the file")
    assert wanted.hints[1].startswith("references[1] is taken for a text.")
    assert "Path('notes.md')" in wanted.hints[0]


@pytest.mark.parametrize(
    ("references", "said"),
    [
        ("https://a.example", "must be a list"),
        (None, "must be a list"),
        ([], "is empty"),
        (["a.example", " "], r"references\[1\] is empty"),
        ([Document(" ", "id")], r"references\[0\] is empty"),
        ([3], r"references\[0\] must be str, a path, Document or Page, got int"),
        (["Titan is a moon.", "Titan \ud800 is."], r"references\[1\] is not valid Unicode"),
        ([Page("u", "t", " ")], r"references\[0\] is empty"),
        (["Titan.", Page("u", "t", "x \ud800")], r"references\[1\] is not valid Unicode"),
        (Path("notes.md"), "must be a list"),
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
