"""HTML to `Page`: main content as Markdown, claims, links and images."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jina_components.errors import ExtractionError
from jina_components.reader.charset import decode
from jina_components.reader.links import LinkMarks, base_of
from jina_components.reader.markdown import to_markdown
from jina_components.reader.metadata import claims_of
from jina_components.reader.sources import Source
from jina_components.reader.visible import visible_text
from jina_components.types import Page

if TYPE_CHECKING:
    from lxml.html import HtmlElement

NO_MAIN_CONTENT = "No main content was found; this is all visible text of the page."
NESTED_TOO_DEEP = "Elements are nested too deep to tell the main content; this is all visible text."
"""What a page is warned of whose text is not the main content alone."""

_CHARSET = re.compile(rb"""<(?:meta[^>]+?charset|\?xml[^>]+?encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_CHARSET_BYTES = 4096

# libxml2 compares each attribute of an element with all before it: many thousands take minutes.
MAX_ATTRIBUTES = 1000
_ATTRIBUTE = r"""[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>]*+))?+"""
_ATTRIBUTES = re.compile(_ATTRIBUTE)
# Comments, scripts and styles are passed over whole: what looks like a tag in them is none.
_TAG = re.compile(
    rf"<!--(?>-?>|.*?(?:-->|\Z))|<(?:script|style)\b[^>]*+(?<!/)>(?>.*?(?:</(?:script|style)|\Z))"
    rf"|<(?P<tag>[a-z][^\s/>]*+(?:[\s/]++|{_ATTRIBUTE})*+)",
    re.IGNORECASE | re.DOTALL,
)

# Below this share of the visible text, a precise extraction has mostly lost content; above it, it has mostly
# dropped boilerplate.
_SMALLEST_SHARE = 0.05


def read_html(source: Source) -> Page:
    """The page that `source` holds.

    Raises:
        ExtractionError: no HTML, no text in it, or an element of more than `MAX_ATTRIBUTES` attributes.
    """
    decoded = decode(source.data, declared=(source.charset, _declared_charset(source.data)))
    tree, parse_warnings = _parse(decoded.text, source)
    claims = claims_of(tree)
    marks = LinkMarks(tree)
    base_url = base_of(tree, source.base_url)
    marked, content_warnings = _content(tree, source)
    content, links, images = marks.take(marked.replace("\u00ad", ""), base_url)
    if not content.strip():
        reason = " ".join(parse_warnings) or "Scripts may fill it in only in a browser."
        raise ExtractionError(f"{source.label} is an HTML page without text. {reason}", source.name)
    title = claims.title or _first_heading(content) or source.file_name
    facts = {"author": claims.author, "site_name": claims.site, "encoding": decoded.encoding}
    return Page(
        url=source.name,
        title=title,
        content=_without_repeats(content, f"# {title}"),
        description=claims.description,
        published_time=claims.published_time,
        language=claims.language,
        links=links,
        images=images,
        metadata={name: fact for name, fact in facts.items() if fact},
        warnings=(*decoded.warnings, *parse_warnings, *content_warnings),
    )


def _declared_charset(data: bytes) -> str:
    found = _CHARSET.search(data[:_CHARSET_BYTES])
    label = found[1].decode("ascii", "replace") if found else ""
    # A declaration that can be read as ASCII is not in UTF-16, whatever it says.
    return "utf-8" if label.lower().startswith("utf-16") else label


def _parse(text: str, source: Source) -> tuple[HtmlElement, tuple[str, ...]]:
    from lxml import etree, html

    _refuse_many_attributes(text, source)
    # `huge_tree` lifts the limit of nesting from 256 to 2048 elements; real pages get past the former.
    parser = html.HTMLParser(
        encoding="utf-8",
        no_network=True,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        tree = html.document_fromstring(text.encode(), parser=parser)
    except (etree.LxmlError, ValueError) as error:
        raise ExtractionError(f"{source.label} holds no HTML element: {error}.", source.name) from error
    cut = any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log)
    return tree, ("Elements are nested too deep; what follows the deepest was not read.",) if cut else ()


def _refuse_many_attributes(text: str, source: Source) -> None:
    for tag in _TAG.finditer(text):
        # Each takes two characters at least; the name of the element counts as one.
        if len(tag["tag"] or "") > 2 * MAX_ATTRIBUTES and len(_ATTRIBUTES.findall(tag["tag"])) > MAX_ATTRIBUTES + 1:
            raise ExtractionError(
                f"{source.label} has an element of more than {MAX_ATTRIBUTES:,} attributes: remove it.", source.name
            )


def _content(tree: HtmlElement, source: Source) -> tuple[str, tuple[str, ...]]:
    """Markdown of the main content, or else all visible text and a warning."""
    visible = visible_text(tree)
    if _is_too_deep(tree):
        return visible, (NESTED_TOO_DEEP,)
    _prepare(tree)
    content = _main_content(tree, source, precise=True)
    if len(content) < _SMALLEST_SHARE * len(visible):
        content = _main_content(tree, source, precise=False)
    if content:
        return content, ()
    return visible, (NO_MAIN_CONTENT,)


def _is_too_deep(tree: HtmlElement) -> bool:
    # Beyond 256 elements trafilatura loses content without a word.
    return bool(tree.xpath("boolean(//*[count(ancestor::*) > 250])"))


def _prepare(tree: HtmlElement) -> None:
    """Save what trafilatura would lose: preformatted lines, words in `<time>`, quotation marks of `<q>`."""
    for element in list(tree.iter("pre")):
        text, tail = element.text_content(), element.tail
        element.clear()
        element.tail = tail
        # A `<pre>` around a single `<span>` counts as code.
        inner = element.makeelement("span")
        inner.text = text
        element.append(inner)
    for element in tree.xpath("//p//time"):
        element.tag = "span"
    for element in list(tree.iter("q")):
        element.tag = "span"
        element.text = "“" + (element.text or "")
        if len(element):
            element[-1].tail = (element[-1].tail or "") + "”"
        else:
            element.text += "”"


def _main_content(tree: HtmlElement, source: Source, *, precise: bool) -> str:
    from trafilatura import bare_extraction
    from trafilatura.settings import Extractor

    options = Extractor(output_format="markdown", precision=precise, comments=False, tables=True)
    options.min_output_size = 0  # an empty result is ours to judge, and nothing to log
    try:
        document = bare_extraction(tree, options=options)
    except Exception as error:
        raise ExtractionError(
            f"{source.label}: its main content cannot be extracted: {error!r}.", source.name
        ) from error
    return to_markdown(document.body) if document else ""


def _first_heading(content: str) -> str:
    found = re.search(r"^#{1,6} (.+)$", content, re.MULTILINE)
    return found[1] if found else ""


def _without_repeats(content: str, heading: str) -> str:
    before, first, after = content.partition(heading + "\n")
    return before + first + re.sub(rf"^{re.escape(heading)}\n+", "", after, flags=re.MULTILINE)
