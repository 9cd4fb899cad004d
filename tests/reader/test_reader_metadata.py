from __future__ import annotations

import pytest
from lxml.html import document_fromstring

from jina_components.reader.metadata import Claims, claims_of, iso_date


def claims(head: str, body: str = "<p>x</p>") -> Claims:
    return claims_of(document_fromstring(f"<html><head>{head}</head><body>{body}</body></html>"))


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        ("<title>Long enough title - Site</title>", "<h1>Long enough title</h1>", "Long enough title"),
        ("<title>T | Site</title><meta property='og:title' content='Given'>", "<h1>T</h1>", "Given"),
        ("<title>\n A \n B</title>", "", "A B"),
        ("", "<h1></h1><h1>Only <b>headline</b></h1>", "Only headline"),
        ("", "<p>x</p>", ""),
    ],
)
def test_title(head: str, body: str, expected: str) -> None:
    assert claims(head, body).title == expected


@pytest.mark.parametrize(
    "head",
    [
        "<meta property='article:published_time' content='2024-03-05T08:00:00Z'>",
        "<meta name='DC.date' content='soon'><meta itemprop='datePublished' content='2024-03-05T08:00:00Z'>",
        '<script type="application/ld+json">{"@graph": [{"datePublished": "2024-03-05T08:00:00Z"}]}</script>',
        "<script type='application/ld+json'>{'broken'</script><meta name=date content=2024-03-05T08:00:00Z>",
    ],
)
def test_published_time(head: str) -> None:
    assert claims(head).published_time == "2024-03-05T08:00:00+00:00"


def test_published_time_of_a_time_element() -> None:
    assert claims("", "<time pubdate datetime=2024-03-05>yesterday</time>").published_time == "2024-03-05"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-03-05", "2024-03-05"),
        ("2024/03/05", "2024-03-05"),
        ("20240305T0800", "2024-03-05T08:00:00"),
        ("Tue, 05 Mar 2024 08:00:00 +0100", "2024-03-05T08:00:00+01:00"),
        ("soon", ""),
        ("", ""),
        ("99999999999", ""),
    ],
)
def test_iso_date(text: str, expected: str) -> None:
    assert iso_date(text) == expected


def test_authors_and_site() -> None:
    found = claims(
        "<meta name=author content='https://h/people/1'><meta property='og:site_name' content='Site'>"
        '<script type="application/ld+json">[{"author": [{"name": "A"}, {"name": "B"}, 3]}]</script>'
    )
    assert (found.author, found.site) == ("A, B", "Site")


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<html lang='de-AT'><p>x", "de-AT"),
        ("<html lang='{{lang}}'><head><meta property='og:locale' content='pt_BR'></head><p>x", "pt-BR"),
        ("<p>x", ""),
    ],
)
def test_language(html: str, expected: str) -> None:
    assert claims_of(document_fromstring(html)).language == expected


def test_a_bomb_of_nested_linked_data_is_passed_over() -> None:
    bomb = "<script type='application/ld+json'>" + "[" * 100_000 + "</script><title>T</title>"
    assert claims(bomb).title == "T"
