"""Markdown of pages and models as HTML that loads nothing by itself and holds no markup but our own.

HTML in the Markdown is shown as its text; an image is its words and a link, for a page's images are not ours to fetch;
a link leads to the web or nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from jina_components.service.playground.drawing import text, web_link
from jina_components.types.markdown_html import printable

MAX_DRAWN = 100_000
"""Characters up to which a Markdown is drawn: browsers take long for more."""

_WEB = re.compile(r"https?://", re.IGNORECASE)
_MARK = re.compile(r"\[\^(\d{1,6})\]")

Note = Callable[[int], str]


def drawn(markdown: str, note: Note | None = None) -> str:
    """The HTML of a Markdown, of which a very long one is cut. It takes a while: call it in a thread.

    Args:
        markdown: CommonMark with tables and strikethrough.
        note: HTML of the footnote mark `[^n]` of a number; empty for one that there is no note of.
    """
    cut = "" if len(markdown) <= MAX_DRAWN else f"<p>… {len(markdown) - MAX_DRAWN:,} more characters</p>"
    made: str = _MARKDOWN.render(printable(markdown[:MAX_DRAWN]), {"note": note, "is_linked": False})
    return f'<div class="pg-markdown" dir="auto">{made}{cut}</div>'


class _Renderer(RendererHTML):
    """Tokens as HTML, by a method for each type that is drawn otherwise than usual."""

    def text(self, tokens: Sequence[Token], index: int, _: Any, env: Any) -> str:  # noqa: ANN401 (the library's)
        """Words, and marks of footnotes."""
        words, note = text(tokens[index].content), env["note"]
        return words if note is None else _MARK.sub(lambda mark: note(int(mark[1])) or mark[0], words)

    def link_open(self, tokens: Sequence[Token], index: int, _: Any, env: Any) -> str:  # noqa: ANN401 (likewise)
        """Links open elsewhere, and tell nobody from where."""
        env["is_linked"] = True
        return web_link(str(tokens[index].attrs["href"]), "\0").partition("\0")[0]

    def link_close(self, *given: Any) -> str:  # noqa: ANN401 (likewise)
        """The end of a link, of which there are none within others."""
        given[-1]["is_linked"] = False
        return "</a>"

    def image(self, tokens: Sequence[Token], index: int, _: Any, env: Any) -> str:  # noqa: ANN401 (likewise)
        """Words of an image, with a link to it where it is not within a link."""
        source, words = str(tokens[index].attrs["src"]), tokens[index].content or "image"
        named = text(words) if env["is_linked"] else web_link(source, words)
        return f'<span class="pg-image">{named}</span>'


def _make() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable(["table", "strikethrough"])
    made.validateLink = lambda url: bool(_WEB.match(url) or url.startswith("data:image/"))  # type: ignore[method-assign]
    return made


_MARKDOWN = _make()
