from __future__ import annotations

import zipfile
from collections.abc import Mapping

import pytest
from office_samples import PNG, read, zipped

from jina_components.errors import ExtractionError

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
)


def book(
    chapters: Mapping[str, str], *, spine: str = "", manifest: str = "", extra: Mapping[str, str | bytes] | None = None
) -> bytes:
    items = "".join(
        f'<item id="{name}" href="{name}.xhtml" media-type="application/xhtml+xml" '
        f'properties="{name if name == "nav" else ""}"/>'
        for name in chapters
    )
    order = "".join(f'<itemref idref="{name}"/>' for name in (spine.split() or chapters))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        "<dc:title>The Tides</dc:title><dc:creator>Ada Marsh</dc:creator><dc:creator>Bo Reed</dc:creator>"
        "<dc:language>en-GB</dc:language><dc:date>2024-03-05</dc:date></metadata>"
        f"<manifest>{items}{manifest}</manifest><spine>{order}</spine></package>"
    )
    pages = {f"OEBPS/{name}.xhtml": text for name, text in chapters.items()}
    return zipped(
        {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER, "OEBPS/book.opf": package}
        | pages
        | dict(extra or {})
    )


def chapter(body: str) -> str:
    return f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>{body}</body></html>'


def test_chapters_come_in_the_order_of_the_spine_without_navigation() -> None:
    chapters = {
        "two": chapter("<h1>Two</h1><p>It <em>ebbs</em>.</p>"),
        "nav": chapter("<nav><ol><li>One</li></ol></nav>"),
        "one": chapter('<h1>One</h1><p><a id="x"/>It flows to <a href="two.xhtml">Two</a>.</p>'),
    }
    page = read(book(chapters, spine="nav one two"), "tides.epub")
    assert page.content == "# One\n\nIt flows to Two.\n\n# Two\n\nIt *ebbs*."
    assert page.page_offsets == (0, page.content.index("# Two"))
    assert (page.title, page.language, page.published_time) == ("The Tides", "en-GB", "2024-03-05")
    assert page.metadata == {"num_pages": 2, "author": "Ada Marsh, Bo Reed"}
    assert page.links == ()


def test_images_of_the_book_and_links_out_of_it() -> None:
    body = '<p>See <a href="https://h/x">there</a> <img src="img/a%20b.png" alt="a wave"/></p>'
    page = read(book({"one": chapter(body)}, extra={"OEBPS/img/a b.png": PNG}))
    assert page.links == (("there", "https://h/x"),)
    ((alt, url),) = page.images
    assert (alt, url.startswith("blob:")) == ("a wave", True)


def test_paths_out_of_the_archive_find_nothing() -> None:
    page = read(book({"one": chapter('<p>x<img src="../../../etc/passwd" alt="secret"/></p>')}))
    assert page.images == ()
    page = read(book({"one": chapter("<p>x</p>"), "../../etc/hosts": chapter("<p>y</p>")}, spine="one ../../etc/hosts"))
    assert "127.0.0.1" not in page.content


def test_scripts_and_styles_of_chapters_are_not_read() -> None:
    body = "<p>words</p><script>alert(1)</script><style>p {}</style>"
    assert read(book({"one": chapter(body)})).content == "words"


def test_missing_chapters_are_told_and_copy_protection_is() -> None:
    page = read(book({"one": chapter("<p>x</p>")}, spine="one lost", manifest='<item id="lost" href="l.xhtml"/>'))
    assert page.warnings == ("Chapters that are missing in the file: 1.",)
    protection = '<encryption><EncryptedData><CipherReference URI="OEBPS/one.xhtml"/></EncryptedData></encryption>'
    with pytest.raises(ExtractionError, match="protected against copying"):
        read(book({"one": chapter("<p>x</p>")}, extra={"META-INF/encryption.xml": protection}))


def test_obfuscated_fonts_do_not_matter() -> None:
    protection = '<encryption><EncryptedData><CipherReference URI="OEBPS/a.otf"/></EncryptedData></encryption>'
    assert read(book({"one": chapter("<p>x</p>")}, extra={"META-INF/encryption.xml": protection})).content == "x"


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"mimetype": "application/epub+zip"}, "names no package file"),
        ({"mimetype": "application/epub+zip", "a.opf": "<package/>"}, "without chapters"),
        ({"mimetype": "application/epub+zip", "a.opf": "no xml"}, "no well-formed XML|holds no XML"),
    ],
)
def test_damaged_books(entries: dict[str, str], reason: str) -> None:
    with pytest.raises(ExtractionError, match=reason):
        read(zipped(entries, compression=zipfile.ZIP_STORED))


def test_bare_text_of_a_chapter_is_read() -> None:
    assert read(book({"one": "<html><body>bare <b>words</b> of it<p>x</p></body></html>"})).content == (
        "bare **words** of it\n\nx"
    )
