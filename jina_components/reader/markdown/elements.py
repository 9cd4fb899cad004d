"""Which element does what: the table of them."""

from __future__ import annotations

from collections.abc import Mapping

from jina_components.reader.markdown import block_elements as blocks
from jina_components.reader.markdown import inline_elements as inline
from jina_components.reader.markdown.serializer import Start

_BLOCKS = (
        "address", "article", "aside", "body", "caption", "center", "details", "dialog", "dl", "fieldset",
        "figcaption", "figure", "footer", "form", "header", "hgroup", "html", "legend", "main", "nav",
        "noframes", "search", "section",
    )  # fmt: skip
_SKIPPED = (
        "applet", "area", "base", "canvas", "col", "colgroup", "datalist", "frame", "frameset", "head",
        "link", "map", "meta", "noembed", "noscript", "param", "progress", "meter", "rp", "script", "select",
        "source", "style", "svg", "template", "textarea", "title", "track",
    )  # fmt: skip
_MARKED = ("b", "cite", "del", "dfn", "em", "i", "mark", "s", "strike", "strong", "sub", "var")

STARTS: Mapping[str, Start] = {
    **dict.fromkeys(_BLOCKS, blocks.block),
    **dict.fromkeys(_SKIPPED, inline.leave_out),
    **dict.fromkeys(_MARKED, inline.marked),
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), blocks.heading),
    **dict.fromkeys(("code", "kbd", "samp", "tt"), inline.code),
    **dict.fromkeys(("ul", "ol", "menu", "dir"), blocks.list_of_items),
    **dict.fromkeys(("abbr", "acronym"), inline.abbreviation),
    **dict.fromkeys(("td", "th"), blocks.cell),
    **dict.fromkeys(("p", "div"), blocks.section),
    **dict.fromkeys(("pre", "listing", "xmp"), blocks.preformatted),
    **dict.fromkeys(inline.PLAYERS, inline.player),
    "a": inline.link, "br": inline.line_break, "img": inline.image, "input": inline.check_box, "q": inline.quotation,
    "rt": inline.reading, "span": inline.span, "sup": inline.raised,
    "blockquote": blocks.quote, "dd": blocks.definition, "dt": blocks.term, "hr": blocks.rule, "li": blocks.item,
    "summary": blocks.summary, "table": blocks.table, "tr": blocks.row,
}  # fmt: skip
"""What is done at the start of an element; it returns what is done at the end."""
