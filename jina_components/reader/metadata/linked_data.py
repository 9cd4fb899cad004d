"""JSON-LD of a page (schema.org): read leniently, and no further than its limits."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lxml.html import HtmlElement

MAX_CHARACTERS = 1_000_000
"""Of a script; longer ones are passed over."""
MAX_SCRIPTS = 50
MAX_NODES = 5_000
"""Objects and lists that are looked at."""

Node = Mapping[str, Any]

# Comments and CDATA marks that authors or their systems put around the JSON.
_WRAPPING = re.compile(r"\A(?:\s|<!--|//|/\*|\*/|<!\[CDATA\[|\ufeff)++|(?:\s|-->|//|/\*|\*/|\]\]>|;)++\Z")
_COMMA_TOO_MANY = re.compile(r",\s*+(?=[}\]])")

# Types of schema.org that a page is about when it has a text to read.
ARTICLES = frozenset((
    "advertisercontentarticle", "analysisnewsarticle", "apireference", "article", "askpublicnewsarticle",
    "backgroundnewsarticle", "blogposting", "claimreview", "discussionforumposting", "howto", "liveblogposting",
    "medicalscholarlyarticle", "newsarticle", "opinionnewsarticle", "recipe", "report", "reportagenewsarticle",
    "review", "reviewnewsarticle", "satiricalarticle", "scholarlyarticle", "socialmediaposting", "techarticle",
))  # fmt: skip
_PEOPLE = ("author", "creator")
# What stands in the same graph and speaks of something else.
_OTHERS = frozenset(("breadcrumblist", "comment", "imageobject", "itemlist", "listitem", "offer", "organization",
                     "person", "product", "searchaction", "aggregaterating"))  # fmt: skip


def linked_data(tree: HtmlElement) -> tuple[Node, ...]:
    """Objects of the page's JSON-LD: articles first, then whatever may speak of the page, the outer before the inner.

    Broken JSON is mended where that is simple (comments, CDATA, HTML entities, commas too many, a second value behind
    the first), else passed over: a page whose data is broken just claims less.
    """
    found: list[Node] = []
    scripts = 0
    for script in tree.iter("script"):
        if (script.get("type") or "").partition(";")[0].strip().lower() != "application/ld+json":
            continue
        scripts += 1
        if scripts > MAX_SCRIPTS:
            break
        found.extend(_objects(_values(script.text or ""), MAX_NODES - len(found)))
    named = {node["@id"]: node for node in found if isinstance(node.get("@id"), str) and "name" in node}
    found = [{**node, **{key: _resolved(node[key], named) for key in _PEOPLE if key in node}} for node in found]
    articles = [node for node in found if types_of(node) & ARTICLES]
    return (*articles, *(node for node in found if not types_of(node) & (ARTICLES | _OTHERS)))


def _resolved(value: object, named: Mapping[str, Node]) -> object:
    """People that a graph refers to by id, as it describes them elsewhere."""
    if isinstance(value, list):
        return [_resolved(item, named) for item in value[:20] if not isinstance(item, list)]
    if isinstance(value, dict) and "name" not in value and isinstance(value.get("@id"), str):
        return named.get(value["@id"], value)
    return value


def types_of(node: Node) -> frozenset[str]:
    """Names of its `@type`, in lower case, without the address of schema.org."""
    given = node.get("@type")
    types = given if isinstance(given, list) else [given]
    return frozenset(name.rpartition("/")[2].lower() for name in types if isinstance(name, str))


def texts_of(value: object, *names: str) -> tuple[str, ...]:
    """Texts of a value: itself, those of its items, or of an object the first of `names` that has any."""
    if isinstance(value, str):
        text = " ".join(html.unescape(value).split())
        return (text,) if text else ()
    if isinstance(value, Mapping):
        return next(filter(None, (texts_of(value.get(name)) for name in names)), ())
    if isinstance(value, Sequence):
        return tuple(text for item in value[:20] if not isinstance(item, list) for text in texts_of(item, *names))
    return ()


def _values(script: str) -> list[object]:
    """What a script holds; empty where it is no JSON that could be mended."""
    if len(script) > MAX_CHARACTERS:
        return []
    text = _WRAPPING.sub("", script)
    mended = (text, _COMMA_TOO_MANY.sub("", text), _COMMA_TOO_MANY.sub("", html.unescape(text)))
    for candidate in dict.fromkeys(mended):
        try:
            return [_DECODER.raw_decode(candidate)[0]]
        except (ValueError, RecursionError):
            continue
    return []


_DECODER = json.JSONDecoder(strict=False)


def _objects(waiting: list[object], most: int) -> Iterator[Node]:
    for seen, value in enumerate(waiting):  # which grows on the way
        if seen > most:
            return
        if isinstance(value, dict):
            yield value
            waiting.extend(inner for inner in value.values() if isinstance(inner, dict | list))
        elif isinstance(value, list):
            waiting.extend(inner for inner in value if isinstance(inner, dict | list))
