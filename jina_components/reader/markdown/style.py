"""How one page is written: the caller's options, once resolved."""

from __future__ import annotations

from dataclasses import dataclass

from jina_components.read_options import ReadOptions
from jina_components.reader.markdown import marks


@dataclass(frozen=True, slots=True)
class Style:
    """The options that matter while writing.

    Attributes:
        heading, bullet, rule, escape: As in `MarkdownStyle`.
        emphasis, strong: Delimiters, empty for none.
        gfm: Whether strikethrough, task lists and footnotes are written.
        pipes: Whether simple tables are written with pipes.
        inline: Whether anything within a line is marked (code, math, footnotes, superscripts …).
        links: `inlined`, `cited`, `text`, `none`, or the form of referenced ones: `full`, `collapsed`, `shortcut`.
        images: `all`, `none` or `alt`.
        numbered_images: Whether their texts begin with their number.
        keep_data_urls: Whether images within the page keep their data.
        line_break: What `<br>` becomes.
    """

    heading: str
    bullet: str
    rule: str
    escape: bool
    emphasis: str
    strong: str
    gfm: bool
    pipes: bool
    inline: bool
    links: str
    images: str
    numbered_images: bool
    keep_data_urls: bool
    line_break: str

    @property
    def shows_links(self) -> bool:
        """Whether links are written with their URLs."""
        return self.links not in ("text", "none")

    @property
    def referenced(self) -> bool:
        """Whether the URLs of links stand at the end."""
        return self.links in ("full", "collapsed", "shortcut")


def style_of(options: ReadOptions) -> Style:
    """The style that `options` ask for."""
    style = options.style
    inline = bool(style.emphasis or style.strong or style.escape)
    return Style(
        heading=style.heading,
        bullet=style.bullet,
        rule=style.rule,
        escape=style.escape,
        emphasis=style.emphasis,
        strong=style.strong,
        gfm=style.gfm,
        pipes=style.gfm and style.tables == "gfm",
        inline=inline,
        links=_links(options),
        images=options.images,
        numbered_images=style.numbered_images,
        keep_data_urls=options.keep_data_urls,
        line_break="  \n" if inline else "\n",
    )


def _links(options: ReadOptions) -> str:
    if options.links in ("none", "text"):
        return options.links
    if options.style.links == "discarded":
        return "text"
    if options.style.links == "cited" and options.links == "all":
        return "cited"
    return options.style.references if "referenced" in (options.links, options.style.links) else "inlined"


def marks_of(style: Style) -> dict[str, marks.Mark]:
    """The marks of the elements that have one in this style."""
    if not style.inline:
        return {}
    strike = marks.STRIKE if style.gfm else marks.Mark("<del>", "</del>")
    table = dict.fromkeys(("del", "s", "strike"), strike)
    table |= {name: marks.Mark(f"<{name}>", f"</{name}>") for name in ("mark", "sub", "sup")}
    if style.emphasis:
        table |= dict.fromkeys(("em", "i", "var", "dfn", "cite"), marks.EMPHASIS)
    if style.strong:
        table |= dict.fromkeys(("b", "strong"), marks.STRONG)
    return table
