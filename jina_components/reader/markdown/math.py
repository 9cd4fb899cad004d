"""Mathematics, in whatever way a page shows it, as one element of TeX."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from jina_components.reader.markdown.dom import has_class, outermost, remove, turn_into
from jina_components.reader.markdown.mathml import tex_of

if TYPE_CHECKING:
    from lxml.html import HtmlElement

MATH_CLASS = "jc-math"
"""Class of the `<span>` that holds TeX; its `data-display` is `block` or `inline`."""

_FALLBACK_IMAGES = frozenset(("latex", "tex", "mwe-math-fallback-image-inline", "mwe-math-fallback-image-display"))
_RENDERED = re.compile(r"(?:^|\s)(?:MathJax(?:_\w+)?|mjx-chtml|mjx-container)(?:\s|$)")
_STYLED = re.compile(r"\A\{\\(?:display|text)style\s*+(.*)\}\Z", re.DOTALL)
_TYPESETTER = re.compile(r"mathjax|katex", re.IGNORECASE)
_OPENING = re.compile(r"\\\(|\\\[|\$\$|\\begin\{((?:align|equation|gather|multline|eqnarray)\*?)\}")
_CLOSING = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
_LONGEST = 5000  # characters of a formula
_NEAR = 8  # elements around a formula that may belong to how it is drawn
_BLANK_LINE = re.compile(r"\n[^\S\n]*+\n")
_SINGLE = re.compile(r"(?<![\\$\w])\$(?P<inline>[^\s$](?:[^$\n]{0,500}?[^\s$\\])?)\$(?![\d$])")
_NO_TEX = frozenset(("code", "pre", "script", "style", "textarea", "kbd", "samp", "title"))


def plain_math(tree: HtmlElement) -> None:
    """Make a `<span class="jc-math">` of each formula in `tree`, in place."""
    typeset = any(
        _TYPESETTER.search(script.get("src") or script.get("href") or "") for script in tree.iter("script", "link")
    )
    typeset = typeset or any("MathJax" in (script.text or "") for script in tree.iter("script"))
    for script in list(tree.iter("script")):
        kind = (script.get("type") or "").lower()
        if kind.startswith("math/tex"):
            _drop_rendered(script)
            _set(script, script.text or "", display="mode=display" in kind)
    for element in outermost(tree.iter("math")):
        _plain_mathml(element)
    for image in list(tree.iter("img")):
        if not _FALLBACK_IMAGES.isdisjoint((image.get("class") or "").split()) and image.get("alt"):
            _set(image, image.get("alt") or "", display=has_class(image, "mwe-math-fallback-image-display"))
    _plain_written(tree, typeset=typeset)


def _set(element: HtmlElement, tex: str, *, display: bool) -> None:
    tex = tex.strip()
    styled = _STYLED.match(tex)
    turn_into(element, "span", styled[1].strip() if styled else tex)
    element.set("class", MATH_CLASS)
    element.set("data-display", "block" if display else "inline")


def _drop_rendered(script: HtmlElement) -> None:
    """Take away what MathJax has drawn before the script that holds the TeX."""
    before = script.getprevious()
    while before is not None and _RENDERED.search(before.get("class") or "") and not (before.tail or "").strip():
        drawn, before = before, before.getprevious()
        remove(drawn)


def _plain_mathml(element: HtmlElement) -> None:
    if not len(element) and not element.text:
        return
    tex = _annotated(element) or tex_of(element)
    place, display = element, element.get("display") == "block" or element.get("mode") == "display"
    for around in islice(element.iterancestors(), _NEAR):
        classes = (around.get("class") or "").split()
        if around.tag == "mjx-container":
            place, display = around, display or around.get("display") == "true"
        elif "katex-display" in classes:
            place, display = around, True
        elif {"katex", "mwe-math-element", "MathJax", "MathJax_Preview", "MathJax_Display"}.intersection(classes):
            place = around
        elif around.tag not in ("span", "mjx-assistive-mml"):
            break
    if tex:
        _set(place, tex, display=display)


def _annotated(element: HtmlElement) -> str:
    """TeX that `<math>` carries along."""
    for annotation in element.iter("annotation"):
        if "tex" in (annotation.get("encoding") or "").lower() and (annotation.text or "").strip():
            return annotation.text or ""
    alternative = element.get("alttext") or ""
    return alternative if re.search(r"[\\^_{}]", alternative) or len(alternative) < 3 else ""


def _plain_written(tree: HtmlElement, *, typeset: bool) -> None:
    """Formulas that stand in the text between the delimiters of a typesetter."""
    signs = ["\\(", "\\[", "\\begin{", *(["$"] if typeset else [])]
    whole = tree.text_content()
    if not any(sign in whole for sign in signs):
        return
    # From the last: what is put into an element's text must not stand before its tails.
    sought = " or ".join(f"contains(., '{sign}')" for sign in signs)
    texts = tree.xpath(f"//text()[{sought}]")
    for text in reversed(texts):
        element = text.getparent()
        around = element.getparent() if text.is_tail else element
        if around is None or around.tag in _NO_TEX or has_class(around, MATH_CLASS):
            continue
        if text.is_tail:
            _split_tail(element, typeset=typeset)
        else:
            _split_text(element, typeset=typeset)


def _split_text(element: HtmlElement, *, typeset: bool) -> None:
    words, formulas = _parts(element.text or "", typeset=typeset)
    if formulas:
        element.text = words
        first = _made(element, formulas[0])
        element.insert(0, first)
        _add_after(first, formulas[1:])


def _split_tail(element: HtmlElement, *, typeset: bool) -> None:
    words, formulas = _parts(element.tail or "", typeset=typeset)
    if formulas:
        element.tail = words
        _add_after(element, formulas)


def _add_after(element: HtmlElement, formulas: list[tuple[str, bool, str]]) -> None:
    for formula in formulas:
        made = _made(element, formula)
        element.addnext(made)
        element = made


def _made(element: HtmlElement, formula: tuple[str, bool, str]) -> HtmlElement:
    tex, display, tail = formula
    made = element.makeelement("span")
    _set(made, tex, display=display)
    made.tail = tail
    return made


def _parts(text: str, *, typeset: bool) -> tuple[str, list[tuple[str, bool, str]]]:
    """Words before the first formula, and (TeX, whether it is displayed, words after it) of each."""
    found = list(_delimited(text))
    if not found and typeset:
        found = [(match.start(), match.end(), match["inline"], False) for match in _SINGLE.finditer(text)]
    ends = [start for start, *_ in found[1:]] + [len(text)]
    formulas = [(tex, display, text[end:until]) for (_, end, tex, display), until in zip(found, ends, strict=False)]
    return (text[: found[0][0]] if found else text), formulas


def _delimited(text: str) -> Iterator[tuple[int, int, str, bool]]:
    """(Start, end, TeX, whether it is displayed) of each formula within one paragraph of `text`."""
    at = 0
    closes: dict[str, int] = {}  # where each delimiter is met next
    for opening in _OPENING.finditer(text):
        if opening.start() < at:
            continue
        closing = f"\\end{{{opening[1]}}}" if opening[1] else _CLOSING[opening[0]]
        if closes.get(closing, 0) < opening.end():
            end = text.find(closing, opening.end())
            closes[closing] = end if end >= 0 else len(text) + _LONGEST
        end = closes[closing]
        if end > opening.end() + _LONGEST or end > len(text):
            continue
        tex = text[opening.end() : end]
        if not tex.strip() or _BLANK_LINE.search(tex):
            continue
        at = end + len(closing)
        yield opening.start(), at, text[opening.start() : at] if opening[1] else tex, opening[0] != "\\("
