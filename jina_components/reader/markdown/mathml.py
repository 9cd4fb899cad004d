"""Presentation MathML to TeX, where a page carries no TeX of its own.

Elements as in MathML Core (https://www.w3.org/TR/mathml-core/); commands are those of LaTeX with amsmath.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from jina_components.reader.markdown.tex_symbols import ACCENTS, FUNCTIONS, UNDER_ACCENTS, symbol

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_COMMAND = re.compile(r"\\[a-zA-Z]+(?:\{[^{}]*\})?")
_COMMAND_AT_END, _LONGEST_COMMAND = re.compile(r"\\[a-zA-Z]++\Z"), 30
_MAX_DEPTH = 100  # formulas are shallow; what is deeper gives its text alone
_PARENTHESES = ("(", ")")
_LARGE = frozenset("∑∏∫∮∬∭⋃⋂⋁⋀⨁⨂∐")
_FONTS = {
    "bold": "mathbf", "bold-italic": "boldsymbol", "double-struck": "mathbb", "fraktur": "mathfrak",
    "monospace": "mathtt", "normal": "mathrm", "sans-serif": "mathsf", "script": "mathcal",
}  # fmt: skip
_FENCES = {"{": "\\{", "}": "\\}", "|": "|", "‖": "\\|", "⟨": "\\langle ", "⟩": "\\rangle ", "〈": "\\langle ",
           "〉": "\\rangle ", "⌊": "\\lfloor ", "⌋": "\\rfloor ", "⌈": "\\lceil ", "⌉": "\\rceil "}  # fmt: skip


def tex_of(element: HtmlElement) -> str:
    """TeX of a `<math>` element, or of any within one."""
    return " ".join(_tex(element, 0).split())


def _tex(element: HtmlElement, depth: int) -> str:
    if depth > _MAX_DEPTH:
        return "".join(map(symbol, "".join(element.itertext())))
    tag = str(element.tag).rpartition(":")[2].rpartition("}")[2]
    if tag in _TOKENS:
        return _TOKENS[tag](element, "".join(element.itertext()).strip())
    children = [child for child in element if isinstance(child.tag, str) and child.tag not in _NOT_SHOWN]
    parts = [_tex(child, depth + 1) for child in children]
    build = _BUILDERS.get(tag)
    if build is not None and len(parts) >= build[0]:
        return build[1](element, parts)
    return _row(element, parts)


def _row(_element: HtmlElement, parts: list[str]) -> str:
    out: list[str] = []
    for at, part in enumerate(parts):
        beside = (*parts[max(at - 1, 0) : at], *parts[at + 1 : at + 2])
        if part.strip() in _PARENTHESES and any(near.startswith("\\binom") for near in beside):
            continue  # a binomial brings its own
        # A command made of letters would go on into the letters that follow.
        if out and part[:1].isalpha() and _ends_in_command(out[-1]):
            out.append(" ")
        if part:
            out.append(part)
    return "".join(out)


def _ends_in_command(tex: str) -> bool:
    return _COMMAND_AT_END.search(tex[-_LONGEST_COMMAND:]) is not None


def _group(tex: str) -> str:
    """`tex` as one argument of a script."""
    return tex if len(tex) == 1 else "{" + tex.strip() + "}"


def _base(tex: str) -> str:
    tex = tex.strip()
    return tex if len(tex) <= 1 or _COMMAND.fullmatch(tex) else "{" + tex + "}"


def _identifier(element: HtmlElement, text: str) -> str:
    font = _FONTS.get(element.get("mathvariant") or "")
    tex = "".join(map(symbol, text)).strip()
    if font and not (font == "mathrm" and len(text) == 1 and not text.isascii()):
        return f"\\{font}{{{tex}}}"
    if text in FUNCTIONS:
        return f"\\{text}"
    return f"\\mathrm{{{tex}}}" if len(text) > 1 and text.isascii() and text.isalpha() else tex


def _number(_element: HtmlElement, text: str) -> str:
    return "".join(map(symbol, text))


def _operator(_element: HtmlElement, text: str) -> str:
    if text in FUNCTIONS:
        return f"\\{text} "
    if len(text) > 1 and text.isascii() and text.isalpha():
        return f"\\operatorname{{{text}}}"
    return "".join(map(symbol, text))


def _text(_element: HtmlElement, text: str) -> str:
    for char in "\\{}$#%&_":
        text = text.replace(char, "\\" + char if char != "\\" else "\\textbackslash ")
    return f"\\text{{{text}}}" if text else " "


def _fraction(element: HtmlElement, parts: list[str]) -> str:
    if (element.get("linethickness") or "1").strip("0. pxemt") == "":
        return f"\\binom{{{parts[0]}}}{{{parts[1]}}}"
    return f"\\frac{{{parts[0]}}}{{{parts[1]}}}"


def _under(_element: HtmlElement, parts: list[str]) -> str:
    accent = UNDER_ACCENTS.get(parts[1].strip())
    if accent:
        return f"\\{accent}{{{parts[0]}}}"
    return _limits(parts[0], "_" + _group(parts[1]), "\\underset{" + parts[1] + "}")


def _over(_element: HtmlElement, parts: list[str]) -> str:
    accent = ACCENTS.get(parts[1].strip())
    if accent:
        return f"\\{accent}{{{parts[0]}}}"
    return _limits(parts[0], "^" + _group(parts[1]), "\\overset{" + parts[1] + "}")


def _limits(base: str, script: str, stacked: str) -> str:
    known = base.strip().lstrip("\\")
    takes_limits = known in FUNCTIONS or base.strip() in _LARGE_COMMANDS or base.startswith("\\operatorname")
    return base.strip() + script if takes_limits else f"{stacked}{{{base}}}"


_LARGE_COMMANDS = frozenset(symbol(char).strip() for char in _LARGE)


def _under_over(_element: HtmlElement, parts: list[str]) -> str:
    base = parts[0].strip()
    if base in _LARGE_COMMANDS or base.lstrip("\\") in FUNCTIONS:
        return f"{base}_{_group(parts[1])}^{_group(parts[2])}"
    return f"\\overset{{{parts[2]}}}{{\\underset{{{parts[1]}}}{{{base}}}}}"


def _fenced(element: HtmlElement, parts: list[str]) -> str:
    opening, closing = element.get("open", "("), element.get("close", ")")
    separators = "".join((element.get("separators") or ",").split()) or ","
    inner = parts[0] if parts else ""
    for at, part in enumerate(parts[1:]):
        inner += separators[min(at, len(separators) - 1)] + " " + part
    return f"\\left{_FENCES.get(opening, opening) or '.'}{inner}\\right{_FENCES.get(closing, closing) or '.'}"


def _table(element: HtmlElement, parts: list[str]) -> str:
    name = "aligned" if (element.get("columnalign") or "").startswith("right left") else "matrix"
    return f"\\begin{{{name}}}" + " \\\\ ".join(parts) + f"\\end{{{name}}}"


def _scripts(_element: HtmlElement, parts: list[str]) -> str:
    tex = _base(parts[0])
    for at, part in enumerate(parts[1:3]):
        tex += ("_", "^")[at] + _group(part) if part.strip() else ""
    return tex


_NOT_SHOWN = frozenset(("annotation", "annotation-xml", "mphantom", "none", "mprescripts", "maligngroup", "malignmark"))
_TOKENS: Mapping[str, Callable[[HtmlElement, str], str]] = {
    "mi": _identifier, "mn": _number, "mo": _operator, "mtext": _text, "ms": _text,
    "mspace": lambda element, text: " \\\\ " if element.get("linebreak") == "newline" else " ",
}  # fmt: skip
_BUILDERS: Mapping[str, tuple[int, Callable[[HtmlElement, list[str]], str]]] = {
    "mfrac": (2, _fraction),
    "msup": (2, lambda element, parts: _base(parts[0]) + ("" if set(parts[1]) == {"'"} else "^") + (
        parts[1] if set(parts[1]) == {"'"} else _group(parts[1]))),
    "msub": (2, lambda element, parts: _base(parts[0]) + "_" + _group(parts[1])),
    "msubsup": (3, lambda element, parts: f"{_base(parts[0])}_{_group(parts[1])}^{_group(parts[2])}"),
    "mmultiscripts": (1, _scripts),
    "msqrt": (0, lambda element, parts: f"\\sqrt{{{_row(element, parts)}}}"),
    "mroot": (2, lambda element, parts: f"\\sqrt[{parts[1]}]{{{parts[0]}}}"),
    "munder": (2, _under),
    "mover": (2, _over),
    "munderover": (3, _under_over),
    "mfenced": (0, _fenced),
    "mtable": (0, _table),
    "mtr": (0, lambda element, parts: " & ".join(parts)),
    "mlabeledtr": (1, lambda element, parts: " & ".join(parts[1:])),
    "semantics": (1, lambda element, parts: parts[0]),
}  # fmt: skip
