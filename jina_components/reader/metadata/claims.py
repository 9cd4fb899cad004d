"""What a page claims of itself: title, description, dates, language, authors, site, image and related resources."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from jina_components.reader.links import absolute_url
from jina_components.reader.metadata.attributes import AttributeIndex
from jina_components.reader.metadata.authors import joined, marked_author
from jina_components.reader.metadata.dates import date_in_path, written_date
from jina_components.reader.metadata.linked_data import ARTICLES, Node, linked_data, texts_of, types_of
from jina_components.reader.metadata.titles import headline_of, is_name, shortened

if TYPE_CHECKING:
    from lxml.html import HtmlElement

T = TypeVar("T")

MAX_TAGS = 500
"""`<meta>` and `<link>` elements that are read, each."""
MAX_CHARACTERS = 5_000
"""Of a value."""

# Names of `<meta>`, the surest first. Dublin Core is read under `dc.` however it is spelled.
_TITLE = ("dc.title", "og:title", "weibo:article:title", "citation_title")
_LATE_TITLE = ("twitter:title", "parsely-title", "title")
_DESCRIPTION = ("dc.description", "og:description", "weibo:article:description", "description", "twitter:description")
_PUBLISHED = ("article:published_time", "article.published", "parsely-pub-date", "og:published_time", "datepublished",
              "publish-date", "publishdate", "publication_date", "citation_publication_date", "citation_date",
              "sailthru.date", "dc.date.issued", "dc.issued", "dc.created", "dc.date", "pubdate", "date")  # fmt: skip
_MODIFIED = ("article:modified_time", "og:updated_time", "datemodified", "dc.date.modified", "dc.modified",
             "last-modified", "lastmod")  # fmt: skip
_AUTHOR = (
    "dc.creator",
    "author",
    "parsely-author",
    "article:author",
    "og:article:author",
    "citation_author",
    "byl",
    "sailthru.author",
)
_SITE = ("og:site_name", "application-name", "dc.publisher", "citation_journal_title")
_IMAGE = ("og:image", "og:image:url", "og:image:secure_url", "twitter:image", "twitter:image:src", "image", "thumbnail")
_LANGUAGE = ("content-language", "og:locale", "dc.language", "language")

_WRITTEN_BY = re.compile(
    r"written by|verfasst von|geschrieben von|écrit par|escrito por|scritto da|geschreven door|autor|author",
    re.IGNORECASE,
)
_DUBLIN_CORE = re.compile(r"(?:dc|dcterms?)\s*[.:]\s*")
_TAG = re.compile(r"[a-z]{2,3}(?:[-_][a-z0-9]{1,8}){0,5}", re.IGNORECASE)
# What a page loads, or how a browser gets there faster: nothing to read.
_LOADED = frozenset(("dns-prefetch", "expect", "import", "modulepreload", "preconnect", "prefetch", "preload",
                     "prerender", "stylesheet"))  # fmt: skip
_PUBLISHED_PROPERTY = re.compile(r"datePublished", re.IGNORECASE)
_PUBLISHED_CLASS = re.compile(r"publish|pub-?date|post-?date|entry-?date|article-?date|dateline|byline", re.IGNORECASE)
_BIRTHDAY = "bday"  # which boxes of facts about people and organizations mark as published too
_DATE_CLASS = re.compile(r"(?<![^\s_-])(?:article)?date(?![^\s_-])", re.IGNORECASE)
_MOST_ELEMENTS = 20
_NEAR = 4  # levels up
_FEW_WORDS = 200  # characters


@dataclass(frozen=True, slots=True)
class Claims:
    """What a page claims; empty where it claims nothing.

    Attributes:
        title: The title, without the site's name where that is known.
        description: Its own summary.
        published_time: ISO 8601, in the precision it has.
        modified_time: Likewise.
        language: BCP 47 tag.
        author: Names, joined by commas.
        site: Name of the site.
        image: Absolute URL of the leading image.
        canonical: Absolute URL of the page, as it wants to be linked.
        meta: Contents of the `<meta>` elements by name or property, in lower case; of repeated ones the first.
        external: Attributes of the `<link>` elements that name resources (canonical URL, translations, feeds, icons,
            licence …), by relation and absolute URL; not of those that the page loads.
    """

    title: str = ""
    description: str = ""
    published_time: str = ""
    modified_time: str = ""
    language: str = ""
    author: str = ""
    site: str = ""
    image: str = ""
    canonical: str = ""
    meta: Mapping[str, str] = field(default_factory=dict, hash=False)
    external: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict, hash=False)


def claims_of(tree: HtmlElement, base_url: str = "") -> Claims:
    """Read JSON-LD (schema.org), `<meta>` (Open Graph, Dublin Core …), `<title>`, `<link>`, and marks in the body.

    Args:
        tree: A whole page, as it came.
        base_url: What its relative links are resolved against; a date in its path is the last to be believed.
    """
    every = _meta(tree)
    meta = {name: contents[0] for name, contents in every.items()}
    external, nodes, index = _external(tree, base_url), linked_data(tree), AttributeIndex(tree)
    articles = [node for node in nodes if types_of(node) & ARTICLES]
    canonical = next(iter(external.get("canonical", ())), "") or absolute_url(base_url, meta.get("og:url"))
    site = _first((*_linked(articles, "publisher"), *_named(meta, _SITE[:1]), *_sites(nodes), *_named(meta, _SITE[1:])))
    address = canonical or base_url
    return Claims(
        title=_title(tree, meta, articles, (site, *_hosts(address))),
        description=_first((*_linked(articles, "description"), *_named(meta, _DESCRIPTION))),
        published_time=_published(tree, index, meta, nodes, address),
        modified_time=_first(map(written_date, (*_linked(nodes, "dateModified"), *_named(meta, _MODIFIED)))),
        language=_language(tree, meta, nodes),
        author=_author(index, every, nodes),
        site=site,
        image=_image(meta, external, articles, base_url),
        canonical=canonical,
        meta=meta,
        external=external,
    )


def first_paragraph(content: HtmlElement) -> str:
    """Text of the first paragraph in the main content: a description for a page that claims none; or empty."""
    return _first(_line(paragraph) for paragraph in content.iter("p"))


def _meta(tree: HtmlElement) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for number, element in enumerate(tree.iter("meta")):
        if number >= MAX_TAGS:
            break
        # Some systems escape twice.
        content = " ".join(html.unescape(element.get("content", "")[:MAX_CHARACTERS]).split())
        if not content:
            continue
        for attribute in ("property", "name", "itemprop", "http-equiv"):
            for name in element.get(attribute, "").lower().split():
                found.setdefault(name, []).append(content)
    return found


def _external(tree: HtmlElement, base_url: str) -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = {}
    for number, element in enumerate(tree.iter("link")):
        if number >= MAX_TAGS:
            break
        relations = element.get("rel", "").lower().split()
        href = element.get("href", "")
        if _LOADED.intersection(relations) or len(href) > MAX_CHARACTERS or not (url := absolute_url(base_url, href)):
            continue
        others = {str(name): value[:MAX_CHARACTERS] for name, value in element.items() if name not in ("rel", "href")}
        for relation in relations:
            if relation != "shortcut":  # which means nothing beside `icon`
                found.setdefault(relation, {}).setdefault(url, others)
    return found


def _title(tree: HtmlElement, meta: Mapping[str, str], articles: Sequence[Node], names: Sequence[str]) -> str:
    whole = _first(map(_line, tree.iter("title")))
    candidates = (*_headlines(articles, whole), *_named(meta, _TITLE))
    claimed = _first(each for each in candidates if not is_name(each, names))
    headlines = list(filter(None, map(_line, islice(tree.iter("h1"), _MOST_ELEMENTS))))
    if claimed:
        return shortened(claimed, headlines, names)
    late = _first(_named(meta, _LATE_TITLE))
    return headline_of(whole, headlines, names) if whole else late or headline_of("", headlines, names)


def _headlines(articles: Sequence[Node], whole: str) -> Iterator[str]:
    """Titles of articles: of headline and name the one that is in `<title>`, for encyclopedias headline a summary."""
    for node in articles:
        headline, name = (_first(texts_of(node.get(each))) for each in ("headline", "name"))
        yield name if name and name in whole and headline not in whole else headline or name


def _published(
    tree: HtmlElement, index: AttributeIndex, meta: Mapping[str, str], nodes: Sequence[Node], address: str
) -> str:
    claimed = _first(map(written_date, (*_linked(nodes, "datePublished"), *_named(meta, _PUBLISHED))))
    in_body = (_first(dates) for dates in (_dates_in(tree, index), _dates_by_headline(tree, index)))
    return claimed or _first(in_body) or date_in_path(urlsplit(address).path)


def _dates_in(tree: HtmlElement, index: AttributeIndex) -> Iterator[str]:
    """Dates that elements of the body name, the surest first."""
    times = list(islice(tree.iter("time"), 10 * _MOST_ELEMENTS))
    elements = chain(
        index.find("itemprop", _PUBLISHED_PROPERTY, most=_MOST_ELEMENTS),
        (time for time in times if time.get("pubdate") is not None or _PUBLISHED_CLASS.search(time.get("class", ""))),
        (time for time in times if time.get("datetime") and next(time.iterancestors("article", "main", "header"), None)
         is not None),
        index.find("class", _PUBLISHED_CLASS, most=_MOST_ELEMENTS),
    )  # fmt: skip
    for element in elements:
        if _BIRTHDAY in element.get("class", ""):
            continue
        yield written_date(element.get("datetime") or element.get("content") or "") or written_date(_line(element))


def _dates_by_headline(tree: HtmlElement, index: AttributeIndex) -> Iterator[str]:
    """Dates of elements that are called so, and in a few words, where a headline is near."""
    for element in index.find("class", _DATE_CLASS, most=_MOST_ELEMENTS):
        around = list(islice(element.iterancestors(), _NEAR))
        if any(each.tag not in ("body", "html") and next(each.iter("h1"), None) is not None for each in around):
            yield written_date(_line(element))
    for headline in islice(tree.iter("h1"), 3):
        for block in islice(headline.iterancestors("div", "header", "section"), 2):
            words = _line(block).replace(_line(headline), " ", 1)
            yield written_date(words) if len(words) <= _FEW_WORDS else ""


def _language(tree: HtmlElement, meta: Mapping[str, str], nodes: Sequence[Node]) -> str:
    root = tree.getroottree().getroot()
    own = (root.get("lang"), root.get("xml:lang"), root.get("{http://www.w3.org/XML/1998/namespace}lang"))
    tags = (*own, *_named(meta, _LANGUAGE), *_linked(nodes, "inLanguage"))
    return _first(tag.strip().replace("_", "-") for tag in tags if tag and _TAG.fullmatch(tag.strip()))


def _author(index: AttributeIndex, meta: Mapping[str, Sequence[str]], nodes: Sequence[Node]) -> str:
    linked = (joined(texts_of(node.get("author") or node.get("creator"), "name")) for node in nodes)
    return _first((*linked, *map(joined, (*_named(meta, _AUTHOR), _written_by(meta))))) or marked_author(index)


def _written_by(meta: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The author in the pairs of label and value that cards of Twitter have."""
    for number in ("1", "2"):
        if _WRITTEN_BY.match(meta.get(f"twitter:label{number}", ("",))[0]):
            return meta.get(f"twitter:data{number}", ())
    return ()


def _image(
    meta: Mapping[str, str], external: Mapping[str, Mapping[str, object]], articles: Sequence[Node], base_url: str
) -> str:
    linked = (url for node in articles for url in texts_of(node.get("image"), "url", "contentUrl", "@id"))
    given = (*_named(meta, _IMAGE), *linked, *external.get("image_src", ()))
    return _first(absolute_url(base_url, url) for url in given)


def _sites(nodes: Sequence[Node]) -> tuple[str, ...]:
    return tuple(name for node in nodes if "website" in types_of(node) for name in texts_of(node.get("name")))


def _linked(nodes: Sequence[Node], name: str) -> tuple[str, ...]:
    return tuple(text for node in nodes for text in texts_of(node.get(name), "name", "@value"))


def _named(meta: Mapping[str, T], names: Iterable[str]) -> tuple[T, ...]:
    """The values of `names`, in their order."""
    spelled = {_DUBLIN_CORE.sub("dc.", name): value for name, value in reversed(list(meta.items()))}
    return tuple(spelled[name] for name in names if name in spelled)


def _hosts(address: str) -> tuple[str, ...]:
    """The host of a page's URL and the parts of it that may be the name of its site."""
    host = urlsplit(address).hostname or ""
    return (host, *host.split(".")[:-1])


def _line(element: HtmlElement) -> str:
    return " ".join(element.text_content()[: 4 * MAX_CHARACTERS].split())[:MAX_CHARACTERS]


def _first(texts: Iterable[str]) -> str:
    return next(filter(None, texts), "")
