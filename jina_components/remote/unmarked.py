"""Markdown of servers that mark more than was asked for, with these marks taken out."""

from __future__ import annotations

import re
from collections.abc import Mapping

from jina_components.read_options import MarkdownStyle

# In the order in which they are looked for: what must stay as it is, then what may go.
_MARKS = re.compile(
    r"""
    (?P<fence>^[ ]{0,3}(?P<ticks>`{3,}|~{3,})[^\n]*\n(?:[\s\S]*?\n)?[ ]{0,3}(?P=ticks)[`~]*[ \t]*$)
    |(?P<rule>^[ ]{0,3}(?:[*_-][ \t]*){3,}$)
    |(?P<bullet>^[ \t]*[*][ \t])
    |(?P<target>\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:[ ]+"[^"\n]*")?\)|<https?://[^>\s]+>)
    |(?P<code>(?<!`)(?P<quotes>`+)(?!`)(?P<inner>[^\n]*?[^`\n])(?P=quotes)(?!`))
    |(?P<escape>\\(?P<char>[!-/:-@\[-`{-~]))
    |(?P<number>!\[Image[ ]\d+(?::[ ])?)
    |(?P<strong>\*\*|(?<![^\W_])__|__(?![^\W_]))
    |(?P<emphasis>\*|(?<![^\W_])_|_(?![^\W_]))
    """,
    re.VERBOSE | re.MULTILINE,
)


def unmarked(markdown: str, style: MarkdownStyle) -> str:
    """What `style` does without, taken out of a Markdown that escapes and emphasises, and numbers its images.

    Code blocks and the targets of links stay as they are.
    """
    is_plain = not (style.emphasis or style.strong or style.escape)
    gone: Mapping[str, str] = {
        **({} if style.numbered_images else {"number": "!["}),
        **({} if style.escape else {"escape": r"\g<char>"}),
        **({} if style.strong else {"strong": ""}),
        **({} if style.emphasis else {"emphasis": ""}),
        **({"code": r"\g<inner>"} if is_plain else {}),
    }
    return _MARKS.sub(lambda found: found.expand(gone[kind]) if (kind := _kind(found)) in gone else found[0], markdown)


def _kind(found: re.Match[str]) -> str:
    return next(name for name in _KINDS if found[name] is not None)


_KINDS = ("fence", "rule", "bullet", "target", "code", "escape", "number", "strong", "emphasis")
