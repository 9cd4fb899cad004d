"""Code: what highlighters have taken apart made plain, the text of a block to the letter, and its language.

`plain_code` leaves `<pre><code class="language-x">` with the text alone. It knows the forms of Prism, highlight.js,
Pygments, GitHub, Rouge, prettify, Shiki, pandoc, GeSHi, MediaWiki, and WordPress's SyntaxHighlighter, Crayon and
EnlighterJS; they differ in where they name the language, how they part lines, and where they put line numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from jina_components.reader.markdown.dom import outermost, turn_into

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_GUTTER = re.compile(
    r"(?:^|\s)(?:gutter|linenos?|linenodiv|line-?numbers?(?:-rows)?|lineno|hljs-ln-(?:numbers|n)|rouge-gutter|crayon-nums?"
    r"|blob-num|ln|code-line-number|react-syntax-highlighter-line-number)(?:\s|$)",
    re.IGNORECASE,
)
_TOOLS = re.compile(r"(?:^|\s)(?:toolbar|copy[\w-]{0,20}|btn-copy|clipboard[\w-]{0,20})(?:\s|$)", re.IGNORECASE)
_CODE_CELL = re.compile(r"(?:^|\s)(?:code|rouge-code|hljs-ln-code|crayon-code|blob-code(?:-inner)?|de1)(?:\s|$)")
_LINE = re.compile(r"(?:^|\s)(?:line|token-line|code-line|crayon-line|view-line|CodeMirror-line|hljs-ln-line)(?:\s|$)")
_NAMED = re.compile(
    r"(?:^|\s)(?:lang(?:uage)?-|highlight-source-|mw-highlight-lang-|highlight-text-|brush:\s*|brush-|highlight-)"
    r"([\w#+.-]{1,40})",
    re.IGNORECASE,
)
_NO_LANGUAGE = frozenset((
        "auto", "container", "default", "highlight", "none", "nohighlight", "notranslate", "plain", "plaintext", "text",
        "txt", "wrap",
    ))  # fmt: skip
_ATTRIBUTES = ("data-lang", "data-language", "data-enlighter-language", "data-code-language", "lang")
_BESIDE = frozenset((
        "code", "hljs", "highlight", "prettyprint", "sourcecode", "syntaxhighlighter", "codehilite", "geshi",
        "source",
    ))  # fmt: skip
_LANGUAGES = frozenset(
    (
        "ada", "apache", "asm", "bash", "basic", "c", "clojure", "cmake", "coffeescript", "cpp", "crystal",
        "csharp", "css", "cuda", "d", "dart", "diff", "dockerfile", "elixir", "elm", "erlang", "fortran",
        "fsharp", "go", "graphql", "groovy", "haskell", "hcl", "html", "ini", "java", "javascript", "jsx",
        "json", "jscript", "julia", "kotlin", "latex", "less", "lisp", "lua", "make", "makefile", "markdown",
        "matlab", "nginx", "nim", "nix", "objc", "objective-c", "ocaml", "pascal", "perl", "php", "powershell",
        "prolog", "properties", "proto", "python", "py", "r", "rb", "rs", "ruby", "rust", "sass", "scala",
        "scheme", "scss", "sh", "shell", "sql", "swift", "tcl", "terraform", "tex", "toml", "ts", "tsx",
        "typescript", "vb", "vbnet", "verilog", "vhdl", "vim", "xml", "yaml", "yml", "zig", "js", "c++", "c#",
        "console",
    )
)  # fmt: skip
_SHORT = {"basic": "html", "jscript": "javascript", "html-basic": "html", "text-html-basic": "html"}
_LANGUAGE_CLASS = re.compile(r"(?:^|\s)(?:lang(?:uage)?-|highlight-source-)([^\s:;{]{1,40})")
_BLANK_LINES = re.compile(r"\A(?:[^\S\n]*+\n)++")
_NEAR = 4  # elements around the code whose class may name its language
_BLOCKS = frozenset(("div", "li", "p", "tr"))
_DROPPED = frozenset(("button", "script", "style", "svg"))


def plain_code(tree: HtmlElement) -> None:
    """Make each block of code in `tree` plain, in place."""
    for table in outermost(_numbered_tables(tree)):
        _plain_table(table)
    for widget in outermost(tree.xpath("//div[contains(@class,'crayon-syntax')]")):
        _plain_crayon(widget)
    plain, broken = _blocks_of_code(tree)
    for code in broken:
        _to_pre(code, code, language_around(code))
    for pre in plain:
        _plain_pre(pre)


def _blocks_of_code(tree: HtmlElement) -> tuple[list[HtmlElement], list[HtmlElement]]:
    """The outermost `<pre>`, and the outermost `<code>` outside of them that have several lines."""
    from lxml.etree import iterwalk

    plain: list[HtmlElement] = []
    broken: dict[HtmlElement, None] = {}
    opened: list[HtmlElement] = []
    for event, element in iterwalk(tree, events=("start", "end"), tag=("pre", "code", "br")):
        if event == "end":
            if opened and opened[-1] is element:
                opened.pop()
        elif element.tag == "br":
            if opened and opened[0].tag == "code":
                broken[opened[0]] = None
        elif not opened or (element.tag == "pre" and len(opened) == 1 and opened[0].tag == "code"):
            if element.tag == "pre":
                plain.append(element)
            opened.append(element)
    return plain, [code for code in broken if next(code.iter("pre"), None) is None]


def _numbered_tables(tree: HtmlElement) -> Iterator[HtmlElement]:
    for cell in tree.iter("td"):
        if _is_gutter(cell):
            table = next((around for around in islice(cell.iterancestors(), _NEAR) if around.tag == "table"), None)
            if table is not None:
                yield table


def _plain_table(table: HtmlElement) -> None:
    """A table whose other cells hold code: one cell of it all, or a row for each line."""
    cells = outermost(cell for cell in table.iter("td") if _CODE_CELL.search(cell.get("class") or ""))
    if cells:
        text = "\n".join(shown_text(cell).removesuffix("\n") for cell in cells)
        _set_code(table, text, language_around(cells[0]))


def _plain_crayon(widget: HtmlElement) -> None:
    plain = next(iter(widget.xpath(".//textarea[contains(@class,'crayon-plain')]")), None)
    language = next(iter(widget.xpath("string(.//*[contains(@class,'crayon-language')][1])").split()), "").lower()
    source = plain if plain is not None else next(iter(widget.xpath(".//*[contains(@class,'crayon-code')]")), widget)
    _to_pre(widget, source, language or language_around(widget))


def _plain_pre(pre: HtmlElement) -> None:
    language = language_around(pre)
    has_parts = any(
        inner.tag in _BLOCKS or _is_dropped(inner) or _LINE.search(inner.get("class") or "")
        for inner in pre.iterdescendants()
    )
    if has_parts:
        _to_pre(pre, pre, language)
    else:
        for named in (pre, *pre.iterchildren("code")):
            named.attrib.pop("class", None)
        if language:
            pre.set("class", f"language-{language}")


def _to_pre(place: HtmlElement, source: HtmlElement, language: str) -> None:
    _set_code(place, shown_text(source), language)


def _set_code(place: HtmlElement, text: str, language: str) -> None:
    turn_into(place, "pre", "")
    code = place.makeelement("code")
    code.text = text
    if language:
        code.set("class", f"language-{language}")
    place.append(code)


def _is_dropped(element: HtmlElement) -> bool:
    """Whether `element` is beside the code, not of it: a line's number, a button."""
    return element.tag in _DROPPED or _is_gutter(element) or bool(_TOOLS.search(element.get("class") or ""))


def _is_gutter(element: HtmlElement) -> bool:
    """Whether `element` holds the numbers of lines and no words."""
    names = element.get("class")
    if not names or element.tag in ("pre", "code") or not _GUTTER.search(names):
        return False
    return not any(char.isalpha() for text in islice(element.itertext(), 50) for char in text[:50])


def shown_text(element: HtmlElement) -> str:
    """The lines of code that `element` shows, however they are parted; line numbers and buttons left out."""
    from lxml.etree import iterwalk

    marked_lines = next(element.iter("br"), None) is None and "\n" not in element.text_content().strip("\n")
    out: list[str] = []
    starts: list[int] = []
    walker = iterwalk(element, events=("start", "end"))
    for event, inner in walker:
        is_line = inner is not element and (
            inner.tag in _BLOCKS or (marked_lines and bool(_LINE.search(inner.get("class") or "")))
        )
        if event == "start":
            if inner is not element and _is_dropped(inner):
                walker.skip_subtree()
                continue
            if is_line:
                if out and not out[-1].endswith("\n"):
                    out.append("\n")
                starts.append(len(out))
            if text := "\n" if inner.tag == "br" else inner.text:
                out.append(text)
            continue
        if is_line and not _is_dropped(inner):
            start = starts.pop()
            if len(out) == start or not out[-1].endswith("\n"):
                out.append("\n")
        if inner.tail and inner is not element and not (is_line and inner.tail.isspace()):
            out.append(inner.tail)
    return "".join(out)


def language_around(code: HtmlElement) -> str:
    """The language that the classes or attributes in and around `code` name, or empty."""
    near = [
        *islice(code.iter("code"), 1),
        code,
        *islice(code.iterancestors(), _NEAR),
        *islice(code.iter("div", "pre"), 3),
    ]
    for element in near:
        names = element.get("class") or ""
        for name in _NAMED.findall(names):
            if (known := name.lower().rstrip(";")) not in _NO_LANGUAGE:
                return _SHORT.get(known, known)
        for attribute in _ATTRIBUTES[: None if element is code or element.tag == "code" else -1]:
            name = (element.get(attribute) or "").lower()
            if name and name not in _NO_LANGUAGE and (attribute != "lang" or name in _LANGUAGES):
                return name
        tokens = names.lower().replace("sourcecode", "sourcecode ").split()
        if element.tag == "pre" or not _BESIDE.isdisjoint(tokens):
            found = next((token for token in tokens if token in _LANGUAGES and token not in _BESIDE), "")
            if found:
                return _SHORT.get(found, found)
    return ""


def code_text(element: HtmlElement) -> str:
    """The text of `element` with its lines and indentation; blank lines around it go, `<br>` is a line's end."""
    has_breaks = next(element.iter("br"), None) is not None
    text = _text_with_breaks(element) if has_breaks else element.text_content()
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ")
    return _BLANK_LINES.sub("", text).rstrip()


def _text_with_breaks(element: HtmlElement) -> str:
    from lxml.etree import iterwalk

    out: list[str] = []
    for event, inner in iterwalk(element, events=("start", "end")):
        if event == "start":
            out.append("\n" if inner.tag == "br" else inner.text or "")
        elif inner is not element:
            out.append(inner.tail or "")
    return "".join(out)


def language_of(element: HtmlElement) -> str:
    """The language that the class of a `<pre>`, or of the `<code>` in it, names; else empty."""
    for candidate in (element, *element.iterchildren("code")):
        found = _LANGUAGE_CLASS.search(candidate.get("class") or "")
        if found:
            return found[1].lower()
        if name := candidate.get("data-lang") or candidate.get("data-language"):
            return name.lower()
    return ""
