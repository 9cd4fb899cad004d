from __future__ import annotations

import pytest
from lxml.html import HtmlElement, document_fromstring

from jina_components.reader.links import LinkMarks, absolute_url, base_of


def text_of(tree: HtmlElement) -> str:
    return " ".join(tree.text_content().split())


def test_only_links_whose_marks_survive_are_given_in_the_order_of_the_text() -> None:
    tree = document_fromstring(
        "<p><a href='/nav'>Nav</a></p><div><a href='a'><b>First</b> link</a> <a href='b'>second</a></div>"
    )
    marks = LinkMarks(tree)
    kept = text_of(tree.find(".//div"))
    content, links, images = marks.take(kept, "http://h/x/")
    assert content == "First link second"
    assert links == (("First link", "http://h/x/a"), ("second", "http://h/x/b"))
    assert images == ()


def test_an_image_belongs_to_the_paragraph_after_it() -> None:
    tree = document_fromstring(
        "<img src='logo.png'><p>menu</p>"
        "<figure><img src='blank.gif' data-src='real.png' alt='A  view'></figure><p> words</p>"
    )
    marks = LinkMarks(tree)
    menu, words = tree.findall(".//p")
    assert marks.take(menu.text, "http://h/")[2] == (("", "http://h/logo.png"),)
    assert marks.take(words.text, "http://h/")[2] == (("A view", "http://h/real.png"),)


def test_links_that_lead_nowhere_are_left_out() -> None:
    tree = document_fromstring(
        "<p><a href='#top'>top</a> <a href='mailto:x@y'>mail</a> <a href='javascript:x()'>run</a>"
        " <a>none</a> <a href='http://['>broken</a> <a href='/ok'> </a> <a href='HTTPS://h/\n up'>Up</a></p>"
    )
    marks = LinkMarks(tree)
    assert marks.take(text_of(tree), "")[1] == (("Up", "HTTPS://h/up"),)


def test_text_is_unchanged_once_the_marks_are_taken() -> None:
    tree = document_fromstring("<ul><li>\n<a href='x'><p>card</p></a></li><li><img src='y'><b>a</b> b</li></ul>")
    before = tree.text_content()
    marks = LinkMarks(tree)
    assert tree.text_content() != before
    assert marks.take(tree.text_content(), "http://h/")[0] == before


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<base href='/d/'>", "http://h/d/"),
        ("<base target='_top'><base href='https://other/'>", "https://other/"),
        ("<base href='mailto:x'>", "http://h/x"),
        ("", "http://h/x"),
    ],
)
def test_base(html: str, expected: str) -> None:
    assert base_of(document_fromstring(f"<html><head>{html}</head><p>x</html>"), "http://h/x") == expected


def test_relative_links_need_a_base() -> None:
    assert absolute_url("", "a.html") == ""
