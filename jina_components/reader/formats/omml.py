"""Equations of Office files (OMML, ECMA-376 part 1, 22.1) to MathML, which the Markdown writer knows."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from jina_components.reader.formats.ooxml import NAMESPACES, name, value
from jina_components.reader.formats.xml import local_name

if TYPE_CHECKING:
    from lxml.etree import _Element
    from lxml.html import HtmlElement

# Numbers whole, all else by the character: letters side by side are factors.
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|\S")
_TOKEN_OF_NAMES = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|\S")
_MATH = "{" + NAMESPACES["m"] + "}"

# MathML's element of each of OMML's, and the operands it takes in order.
_OPERANDS = {
    "sSup": ("msup", ("e", "sup")),
    "sSub": ("msub", ("e", "sub")),
    "sSubSup": ("msubsup", ("e", "sub", "sup")),
    "limLow": ("munder", ("e", "lim")),
    "limUpp": ("mover", ("e", "lim")),
    "box": ("mrow", ("e",)),
    "borderBox": ("mrow", ("e",)),
    "phant": ("mphantom", ("e",)),
}
_SUM = "∑"  # what an n-ary operator is that does not say; OMML's own default is the integral
_INTEGRAL = "∫"
_COMBINING = {"\u0302": "^", "\u0303": "~", "\u0304": "¯", "\u0305": "¯", "\u0307": "˙", "\u0308": "¨",
              "\u20d7": "→", "\u030c": "ˇ", "\u0306": "˘", "\u0301": "´", "\u0300": "`"}  # fmt: skip
_OPERATORS = frozenset("+-−±∓×÷·*/=≠<>≤≥≈≡∼→←↔⇒⇐⇔∈∉⊂⊆∪∩∧∨¬∀∃∂∇∑∏∫∮,;:!|()[]{}‖⟨⟩⌊⌋⌈⌉")


def math_of(equation: _Element, *, display: bool) -> HtmlElement:
    """`<math>` of an `m:oMath` element."""
    made = _made("math", *_row(equation))
    if display:
        made.set("display", "block")
    return made


def _made(tag: str, *children: HtmlElement, text: str = "") -> HtmlElement:
    from lxml.html import Element

    made = Element(tag)
    made.text = text
    made.extend(children)
    return made


def _row(element: _Element | None) -> list[HtmlElement]:
    if element is None:
        return []
    return [made for child in element for made in _BUILDERS.get(_name(child), _row)(child)]


def _name(element: _Element) -> str:
    return local_name(element) if isinstance(element.tag, str) and element.tag.startswith(_MATH) else ""


def _operand(element: _Element, operand: str) -> HtmlElement:
    row = _row(element.find(f"{_MATH}{operand}"))
    return row[0] if len(row) == 1 else _made("mrow", *row)


def _property(element: _Element, path: str) -> str | None:
    """`m:val` of a property, None where it is not given."""
    found = element.find("/".join(_MATH + step for step in path.split("/")))
    return None if found is None else value(found, "m:val")


def _run(run: _Element) -> list[HtmlElement]:
    plain = _property(run, "rPr/nor") not in (None, "0", "off", "false")
    text = "".join(child.text or "" for child in run.iter(f"{_MATH}t", name("w:t")))
    if plain:
        return [_made("mtext", text=text)] if text else []
    is_name = _property(run, "rPr/sty") == "p" or next(run.iterancestors(f"{_MATH}fName"), None) is not None
    tokens = (_TOKEN_OF_NAMES if is_name else _TOKEN).findall(text)
    return [_made(_token_kind(token), text=token) for token in tokens]


def _token_kind(token: str) -> str:
    if token[0].isdigit():
        return "mn"
    return "mo" if token in _OPERATORS else "mi"


def _scripted(element: _Element) -> list[HtmlElement]:
    tag, operands = _OPERANDS[_name(element)]
    return [_made(tag, *(_operand(element, each) for each in operands))]


def _before(element: _Element) -> list[HtmlElement]:
    empty = _made("mrow")
    left = _made("msubsup", empty, _operand(element, "sub"), _operand(element, "sup"))
    return [left, _operand(element, "e")]


def _fraction(element: _Element) -> list[HtmlElement]:
    kind = _property(element, "fPr/type")
    over, under = _operand(element, "num"), _operand(element, "den")
    if kind == "lin":
        return [over, _made("mo", text="/"), under]
    made = _made("mfrac", over, under)
    if kind == "noBar":
        made.set("linethickness", "0")
    return [made]


def _radical(element: _Element) -> list[HtmlElement]:
    degree = _operand(element, "deg")
    if _property(element, "radPr/degHide") in ("1", "on", "true") or not (len(degree) or degree.text):
        return [_made("msqrt", _operand(element, "e"))]
    return [_made("mroot", _operand(element, "e"), degree)]


def _nary(element: _Element) -> list[HtmlElement]:
    symbol = _property(element, "naryPr/chr")
    parts = [_made("mo", text=_INTEGRAL if symbol is None else symbol or _SUM)]
    below, above = _operand(element, "sub"), _operand(element, "sup")
    given = [bool(len(each) or each.text) for each in (below, above)]
    tag = {(True, True): "msubsup", (True, False): "msub", (False, True): "msup"}.get((given[0], given[1]))
    if tag:
        parts = [_made(tag, *parts, *(each for each, is_given in zip((below, above), given, strict=True) if is_given))]
    return [*parts, *_row(element.find(f"{_MATH}e"))]


def _fenced(element: _Element) -> list[HtmlElement]:
    inner = element.findall(f"{_MATH}e")
    if len(inner) == 1 and len(inner[0]) == 1 and _property(inner[0][0], "fPr/type") == "noBar":
        return _row(inner[0])  # a binomial, whose brackets go without saying
    begin, end, between = (_property(element, f"dPr/{each}") for each in ("begChr", "endChr", "sepChr"))
    row = [_made("mo", text="(" if begin is None else begin)]
    for number, each in enumerate(inner):
        row += [_made("mo", text="|" if between is None else between)] if number else []
        row += _row(each)
    row.append(_made("mo", text=")" if end is None else end))
    return [_made("mrow", *(each for each in row if len(each) or each.text))]


def _function(element: _Element) -> list[HtmlElement]:
    return [_operand(element, "fName"), _operand(element, "e")]


def _accent(element: _Element) -> list[HtmlElement]:
    mark = _property(element, "accPr/chr")
    mark = "\u0302" if mark is None else mark
    return [_with_accent(element, "mover", _COMBINING.get(mark, mark))]


def _bar(element: _Element) -> list[HtmlElement]:
    above = _property(element, "barPr/pos") == "top"
    return [_with_accent(element, "mover" if above else "munder", "¯" if above else "_")]


def _group(element: _Element) -> list[HtmlElement]:
    above = _property(element, "groupChrPr/pos") == "top"
    return [_with_accent(element, "mover" if above else "munder", _property(element, "groupChrPr/chr") or "⏟")]


def _with_accent(element: _Element, tag: str, mark: str) -> HtmlElement:
    made = _made(tag, _operand(element, "e"), _made("mo", text=mark))
    made.set("accent" if tag == "mover" else "accentunder", "true")
    return made


def _matrix(element: _Element) -> list[HtmlElement]:
    rows = element.findall(f"{_MATH}mr")
    return [_made("mtable", *(_table_row(row.findall(f"{_MATH}e")) for row in rows))]


def _array(element: _Element) -> list[HtmlElement]:
    lines = element.findall(f"{_MATH}e")
    return (
        [_made("mtable", *(_table_row([each]) for each in lines))]
        if len(lines) > 1
        else _row(lines[0] if lines else None)
    )


def _table_row(cells: list[_Element]) -> HtmlElement:
    return _made("mtr", *(_made("mtd", *_row(cell)) for cell in cells))


_BUILDERS: dict[str, Callable[[_Element], list[HtmlElement]]] = {
    **dict.fromkeys(_OPERANDS, _scripted),
    "r": _run,
    "f": _fraction,
    "rad": _radical,
    "nary": _nary,
    "d": _fenced,
    "func": _function,
    "acc": _accent,
    "bar": _bar,
    "groupChr": _group,
    "m": _matrix,
    "eqArr": _array,
    "sPre": _before,
}
