"""Mathematics, in whatever way a page shows it, as one element of TeX."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jina_components.reader.markdown.dom import has_class, remove, turn_into
from jina_components.reader.markdown.mathml import tex_of

if TYPE_CHECKING:
    from lxml.html import HtmlElement

MATH_CLASS = "jc-math"
"""Class of the `<span>` that holds TeX; its `data-display` is `block` or `inline`."""

_FALLBACK_IMAGES = frozenset(("latex", "tex", "mwe-math-fallback-image-inline", "mwe-math-fallback-image-display"))
_RENDERED = re.compile(r"(?:^|\s)(?:MathJax(?:_\w+)?|mjx-chtml|mjx-container)(?:\s|$)")
_STYLED = re.compile(r"\A\{\\(?:display|text)style\s*+(.*)\}\Z", re.DOTALL)
_TYPESETTER = re.compile(r"mathjax|katex", re.IGNORECASE)
# Between delimiters of a typesetter, within one text: bounded, and without a paragraph's end.
_WRITTEN = re.compile(
    r"\\\((?P<inline>(?:[^\\\n]|\\[^()]|\n(?!\s*\n)){1,2000}?)\\\)"
    r"|\\\[(?P<block>(?:[^\\\n]|\\[^\[\]]|\n(?!\s*\n)){1,5000}?)\\\]"
    r"|\$\$(?P<dollars>(?:[^$\n]|\n(?!\s*\n)){1,5000}?)\$\$"
    r"|(?P<environment>\\begin\{(?P<name>(?:align|equation|gather|multline|eqnarray)\*?)\}.{1,5000}?\\end\{(?P=name)\})",
    re.DOTALL,
)
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
    for element in list(tree.iter("math")):
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
    for around in element.iterancestors():
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
        for at, formula in enumerate(formulas):
            element.insert(at, _made(element, formula))


def _split_tail(element: HtmlElement, *, typeset: bool) -> None:
    words, formulas = _parts(element.tail or "", typeset=typeset)
    if formulas:
        element.tail = words
        for formula in reversed(formulas):
            element.addnext(_made(element, formula))


def _made(element: HtmlElement, formula: tuple[str, bool, str]) -> HtmlElement:
    tex, display, tail = formula
    made = element.makeelement("span")
    _set(made, tex, display=display)
    made.tail = tail
    return made


def _parts(text: str, *, typeset: bool) -> tuple[str, list[tuple[str, bool, str]]]:
    """Words before the first formula, and (TeX, whether it is displayed, words after it) of each."""
    if "\\(" not in text and "\\[" not in text and "\\begin{" not in text and not (typeset and "$" in text):
        return text, []
    found = list(_WRITTEN.finditer(text))
    if not found and typeset:
        found = list(_SINGLE.finditer(text))
    formulas = []
    for at, match in enumerate(found):
        tail = text[match.end() : found[at + 1].start() if at + 1 < len(found) else len(text)]
        groups = match.groupdict()
        inline = groups["inline"]
        tex = inline or groups.get("block") or groups.get("dollars") or groups.get("environment") or ""
        formulas.append((tex, inline is None, tail))
    return (text[: found[0].start()] if found else text), formulas
