"""The Markdown of answers as HTML that holds nothing but what is written here: every word of it is escaped.

A small part of CommonMark, which is what answers are made of: headings, lists, quotes, tables, code, paragraphs; bold,
italics, code and web links in them; and our marks.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

# Characters of nobody's (private use) that stand for where a marked stretch begins and ends.
_OPEN, _CLOSE = "\ue000", "\ue001"
_TAKEN = str.maketrans(_OPEN + _CLOSE, "\ufffd\ufffd")
_AT_BEGIN = rf"^(?P<open>[{_OPEN}{_CLOSE}]*)"
_FENCE = re.compile(r"\s*(```|~~~)[\w+#.-]*\s*$")
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("heading", re.compile(rf"{_AT_BEGIN}\s{{0,3}}(?P<mark>#{{1,6}})[ \t]+(?P<text>.*?)[ \t#]*$")),
    ("ul", re.compile(rf"{_AT_BEGIN}(?P<mark>\s*)[-*+][ \t]+(?P<text>.*)$")),
    ("ol", re.compile(rf"{_AT_BEGIN}(?P<mark>\s*)\d{{1,9}}[.)][ \t]+(?P<text>.*)$")),
    ("quote", re.compile(rf"{_AT_BEGIN}\s{{0,3}}(?P<mark>)>[ \t]?(?P<text>.*)$")),
    ("table", re.compile(rf"{_AT_BEGIN}\s{{0,3}}(?P<mark>)\|(?P<text>.*?)\|?\s*$")),
    ("text", re.compile(r"(?P<open>)(?P<mark>\s*)(?P<text>.*)$")),
)
_TURN = re.compile(f"[{_OPEN}{_CLOSE}]")
_RULE = re.compile(r"[\s|:-]*-[\s|:-]*")
_TOKEN = re.compile(
    rf"(?P<code>`[^`\n]+`)|(?P<mark>\*\*|\*)|\[\^(?P<note>\d{{1,6}})\]|(?P<unverified>\[unverified\])"
    rf"|\[(?P<label>[^\[\]]{{1,500}})\]\((?P<url>https?://[^\s()<>]{{1,2000}})\)|(?P<turn>[{_OPEN}{_CLOSE}])"
)
_TAGS = {"**": "strong", "*": "em"}
_UNDERLINED = "text-decoration:underline dotted;text-underline-offset:3px"


class MarkdownPage:
    """Writes one text.

    Args:
        note: HTML of the footnote mark of a number; None for a number that there is no note of.
        marked: Stretches (start, end) of the text to underline, in order.
        title: What to say of them.
    """

    def __init__(
        self, *, note: Callable[[int], str | None], marked: Sequence[tuple[int, int]] = (), title: str = ""
    ) -> None:
        self._note = note
        self._marked = marked
        self._title = html.escape(title)
        self._is_marked = False

    def write(self, text: str) -> str:
        """The HTML of a text."""
        return "".join(self._blocks(self._with_turns(text).split("\n")))

    def _with_turns(self, text: str) -> str:
        text, place, pieces = text.translate(_TAKEN), 0, []
        for start, end in self._marked:
            pieces += [text[place:start], _OPEN, text[start:end], _CLOSE]
            place = end
        return "".join([*pieces, text[place:]])

    def _blocks(self, lines: list[str]) -> Iterator[str]:
        while lines:
            if _is_fence(lines[0]):
                self._bare(lines[0])
                ends = next((n for n, line in enumerate(lines[1:], 1) if _is_fence(line)), len(lines))
                words = html.escape(self._bare("\n".join(lines[1:ends])))
                yield f"<pre style='white-space:pre-wrap'><code>{words}</code></pre>"
                self._bare("".join(lines[ends : ends + 1]))
                lines = lines[ends + 1 :]
                continue
            ends = next((n for n, line in enumerate(lines) if _is_fence(line)), len(lines))
            yield from self._prose(lines[:ends])
            lines = lines[ends:]

    def _bare(self, text: str) -> str:
        """A text without the ends of marked stretches in it, of which the last counts for what follows."""
        if turns := _TURN.findall(text):
            self._is_marked = turns[-1] == _OPEN
        return _TURN.sub("", text)

    def _prose(self, lines: list[str]) -> Iterator[str]:
        items = _parted(lines)
        for kind, group in groupby(items, key=lambda item: item[0]):
            texts = [(mark, text) for _, mark, text in group]
            if kind in ("ul", "ol"):
                yield self._list(kind, texts)
            elif kind == "table":
                yield self._table([text for _, text in texts])
            elif kind == "quote":
                yield f"<blockquote dir='auto'>{self._inline(chr(10).join(text for _, text in texts))}</blockquote>"
            elif kind == "heading":
                yield from (f"<p dir='auto'><strong>{self._inline(text)}</strong></p>" for _, text in texts)
            elif kind == "text":
                yield from (f"<p dir='auto'>{self._inline(text)}</p>" for _, text in texts)

    def _list(self, kind: str, items: list[tuple[str, str]]) -> str:
        inner = "".join(
            f"<li dir='auto' style='margin-inline-start:{min(len(indent.expandtabs(4)) // 2, 6) * 1.2:g}em'>"
            f"{self._inline(text)}</li>"
            for indent, text in items
        )
        return f"<{kind}>{inner}</{kind}>"

    def _table(self, rows: list[str]) -> str:
        inner = ""
        for number, row in enumerate(rows):
            if number == 1 and _RULE.fullmatch(self._bare(row)):
                continue
            tag = "td" if number else "th"
            cells = (
                f"<{tag} dir='auto' style='text-align:start'>{self._inline(cell)}</{tag}>" for cell in row.split("|")
            )
            inner += f"<tr>{''.join(cells)}</tr>"
        return f"<table>{inner}</table>"

    def _inline(self, text: str) -> str:
        text = text.strip()
        pieces: list[str] = []
        open_tags: list[str] = []
        place = 0
        for token in _TOKEN.finditer(text):
            pieces.append(self._words(text[place : token.start()]))
            pieces.append(self._token(token, open_tags))
            place = token.end()
        pieces.append(self._words(text[place:]))
        return "".join(pieces) + "".join(f"</{_TAGS[mark]}>" for mark in reversed(open_tags))

    def _token(self, token: re.Match[str], open_tags: list[str]) -> str:
        if token["turn"]:
            return self._bare(token["turn"])
        if mark := token["mark"]:
            return self._emphasis(mark, token, open_tags)
        if token["code"]:
            return f"<code>{html.escape(self._bare(token['code'])[1:-1])}</code>"
        if token["unverified"]:
            return f"<sup title='{self._title}'>unverified</sup>"
        if token["url"]:
            return linked(self._bare(token["url"]), self._bare(token["label"]))
        shown = self._note(int(token["note"]))
        return self._words(token[0]) if shown is None else shown

    def _emphasis(self, mark: str, token: re.Match[str], open_tags: list[str]) -> str:
        if open_tags and open_tags[-1] == mark:
            open_tags.pop()
            return f"</{_TAGS[mark]}>"
        rest = token.string[token.end() :]
        if mark in open_tags or mark not in rest or not rest[:1].strip():
            return self._words(token[0])
        open_tags.append(mark)
        return f"<{_TAGS[mark]}>"

    def _words(self, words: str) -> str:
        if not self._is_marked or not (bare := words.strip()):
            return html.escape(words).replace("\n", "<br>")
        before, _, after = words.partition(bare)
        shown = html.escape(bare).replace("\n", "<br>")
        return f"{before}<span style='{_UNDERLINED}' title='{self._title}'>{shown}</span>{after}"


def linked(url: str, label: str = "") -> str:
    """A link, where the URL is one of the web, rather than a path or a script; else the words alone."""
    words = html.escape(label or url)
    if not url.lower().startswith(("http://", "https://")):
        return words
    return f"<a href='{html.escape(url)}' target='_blank' rel='noopener noreferrer nofollow'>{words}</a>"


def printable(text: str) -> str:
    """A text without the halves of characters that no file and no browser takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _is_fence(line: str) -> bool:
    return _FENCE.match(_TURN.sub("", line)) is not None


def _parted(lines: Iterable[str]) -> list[tuple[str, str, str]]:
    """Kind, indent and text of each block; a line that begins none goes on with the paragraph or item before it."""
    blocks: list[tuple[str, str, str]] = []
    is_open = False
    for line in lines:
        bare = line.strip(_OPEN + _CLOSE + " \t\r")
        if not bare:
            if blocks and line.strip():  # nothing but the end of a marked stretch
                blocks[-1] = (*blocks[-1][:2], blocks[-1][2] + line.strip())
            is_open = False
            continue
        kind, match = next((kind, found) for kind, form in _KINDS if (found := form.match(line)))
        text = f"{match['open']}{match['text']}"
        if kind == "text" and is_open and blocks[-1][0] in ("text", "ul", "ol"):
            blocks[-1] = (*blocks[-1][:2], f"{blocks[-1][2]}\n{text}")
        else:
            blocks.append((kind, match["mark"], text))
        is_open = kind != "heading"
    return blocks
