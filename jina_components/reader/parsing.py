"""HTML to a tree, whatever it holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import dropwhile
from typing import TYPE_CHECKING

from jina_components.errors import ExtractionError
from jina_components.reader.charset import decode
from jina_components.reader.sources import Source

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_CHARSET = re.compile(rb"""<(?:meta[^>]+?charset|\?xml[^>]+?encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_CHARSET_BYTES = 4096

# What decoding takes out of the bytes, written as a reference: an escape would speak to the reader's terminal.
_CONTROL_REFERENCE = re.compile(
    r"&#(?:0*+(?:[0-8]|1[124-9]|2\d|3[01]|127)(?!\d)|x0*+(?:[0-8bcef]|1[\da-f]|7f)(?![\da-f]));?", re.IGNORECASE
)
_OF_HEAD = frozenset(("base", "link", "meta", "noscript", "script", "style", "template", "title"))

# libxml2 compares each attribute of an element with all before it: many thousands take minutes.
MAX_ATTRIBUTES = 1000
_ATTRIBUTE = r"""[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>]*+))?+"""
_ATTRIBUTES = re.compile(_ATTRIBUTE)
# At least as long as any tag, and found in a tenth of the time.
_PERHAPS_TAG = re.compile(r"""<[a-z](?:[^>"']++|"[^"]*+"|'[^']*+'|["'])*+""", re.IGNORECASE)
# Comments, scripts and styles are passed over whole: what looks like a tag in them is none.
_TAG = re.compile(
    rf"<!--(?>-?>|.*?(?:-->|\Z))|<(?:script|style)\b[^>]*+(?<!/)>(?>.*?(?:</(?:script|style)|\Z))"
    rf"|<(?P<tag>[a-z][^\s/>]*+(?:[\s/]++|{_ATTRIBUTE})*+)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class ParsedHtml:
    """A page as it came.

    Attributes:
        tree: Its `<html>` element.
        text: Its decoded text.
        encoding: The encoding it was in.
        warnings: What was guessed or lost.
    """

    tree: HtmlElement
    text: str
    encoding: str
    warnings: tuple[str, ...]


def parse_source(source: Source) -> ParsedHtml:
    """The page that `source` holds.

    Raises:
        ExtractionError: as `parse`.
    """
    decoded = decode(source.data, declared=(source.charset, declared_charset(source.data)))
    tree, warnings = parse(decoded.text, source)
    return ParsedHtml(tree, decoded.text, decoded.encoding, (*decoded.warnings, *warnings))


def declared_charset(data: bytes) -> str:
    """The charset that a page declares in its first bytes, or empty."""
    found = _CHARSET.search(data[:_CHARSET_BYTES])
    label = found[1].decode("ascii", "replace") if found else ""
    # A declaration that can be read as ASCII is not in UTF-16, whatever it says.
    return "utf-8" if label.lower().startswith("utf-16") else label


def parse(text: str, source: Source) -> tuple[HtmlElement, tuple[str, ...]]:
    """The tree of a document or fragment, without comments, and what to warn of.

    No network, no entities of the document's own. Elements nested deeper than 2,048 are cut off with a warning.

    Raises:
        ExtractionError: no HTML, or an element of more than `MAX_ATTRIBUTES` attributes; names `source`.
    """
    from lxml import etree, html

    _refuse_many_attributes(text, source)
    text = _CONTROL_REFERENCE.sub("", text)
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
    _give_body(tree)
    cut = any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log)
    return tree, ("Elements are nested too deep; what follows the deepest was not read.",) if cut else ()


def _give_body(tree: HtmlElement) -> None:
    """Move what is not for the head into the body: libxml2 leaves elements that HTML 4 did not know where they were."""
    head, body = tree.find("head"), tree.find("body")
    strays = [] if head is None else list(dropwhile(lambda element: element.tag in _OF_HEAD, head))
    if body is None:
        strays += [element for element in tree if element is not head]
        body = tree.makeelement("body")
        tree.append(body)
    body[:0] = strays
    if strays:
        # The text of the body comes after them.
        strays[-1].tail, body.text = (strays[-1].tail or "") + (body.text or ""), None


def _refuse_many_attributes(text: str, source: Source) -> None:
    # An attribute takes two characters at least; the name of the element counts as one.
    shortest = 2 * MAX_ATTRIBUTES
    if all(tag.end() - tag.start() <= shortest for tag in _PERHAPS_TAG.finditer(text)):
        return
    for tag in _TAG.finditer(text):
        if len(tag["tag"] or "") > shortest and len(_ATTRIBUTES.findall(tag["tag"])) > MAX_ATTRIBUTES + 1:
            raise ExtractionError(
                f"{source.label} has an element of more than {MAX_ATTRIBUTES:,} attributes: remove it.", source.name
            )
