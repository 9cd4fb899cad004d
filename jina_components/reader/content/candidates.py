"""Which element holds the text of a page: Readability's scores.

Method: https://github.com/mozilla/readability (Arc90's readability.js), written anew for lxml. A paragraph scores by
its length and commas; its ancestors get part of the score, and of what their names say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from jina_components.reader.content.dom import inner_text
from jina_components.reader.content.measure import Measures
from jina_components.reader.content.words import weight

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_SCORED = ("section", "h2", "h3", "h4", "h5", "h6", "p", "td", "pre")
_TAG_SCORES = (
    {"div": 5}
    | dict.fromkeys(("pre", "td", "blockquote"), 3)
    | dict.fromkeys(("address", "ol", "ul", "dl", "dd", "dt", "li", "form"), -3)
    | dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6", "th"), -5)
)
_MIN_CHARS = 25
_LEVELS = 5
_TOP = 5
_CLOSE = 0.75
_AGREEING = 3
_KEPT_AS_THEY_ARE = frozenset(("article", "div", "ol", "p", "section", "ul"))
_SENTENCE_END = re.compile(r"\.(?: |$)")


@dataclass(frozen=True, slots=True)
class Scoring:
    """What the elements of a page score.

    Attributes:
        body: The page.
        measures: Of the elements below `body`.
        scores: Of the elements around paragraphs.
        weigh_names: Whether classes and ids count.
    """

    body: HtmlElement
    measures: Measures
    scores: dict[HtmlElement, float]
    weigh_names: bool

    def score(self, element: HtmlElement) -> float:
        """The score of an element, or what it starts with."""
        return self.scores.get(element, _start(element, weigh_names=self.weigh_names))


def score(body: HtmlElement, measures: Measures, *, weigh_names: bool) -> Scoring:
    """Score what lies around the paragraphs of a page."""
    scores: dict[HtmlElement, float] = {}
    for paragraph in body.iter(*_SCORED):
        chars = measures.chars(paragraph)
        if chars < _MIN_CHARS or paragraph is body:
            continue
        points = 2 + measures.commas(paragraph) + min(chars // 100, 3)
        for level, ancestor in enumerate(islice(paragraph.iterancestors(), _LEVELS)):
            if ancestor.tag == "html":
                break
            if ancestor not in scores:
                scores[ancestor] = _start(ancestor, weigh_names=weigh_names)
            scores[ancestor] += points / (level * 3 if level > 1 else level + 1)
            if ancestor is body:
                break
    for element in scores:
        scores[element] *= 1 - measures.link_density(element)
    return Scoring(body, measures, scores, weigh_names)


def _start(element: HtmlElement, *, weigh_names: bool) -> float:
    named = weight(element.get("class")) + weight(element.get("id")) if weigh_names else 0
    return _TAG_SCORES.get(element.tag, 0) + named


def best(scoring: Scoring) -> HtmlElement:
    """The element around most of the text; the body when none scores."""
    ranked = sorted(scoring.scores, key=lambda element: -scoring.scores[element])[:_TOP]
    if not ranked or ranked[0] is scoring.body:
        return scoring.body
    top = _shared_ancestor(ranked, scoring)
    top = _rising_ancestor(top, scoring)
    while (parent := top.getparent()) is not scoring.body and len(parent) == 1:
        top = parent
    return top


def _shared_ancestor(ranked: list[HtmlElement], scoring: Scoring) -> HtmlElement:
    """The nearest element around the first of which several others of about its score lie too."""
    first = ranked[0]
    close = [other for other in ranked[1:] if scoring.scores[other] >= _CLOSE * scoring.scores[first]]
    if len(close) < _AGREEING:
        return first
    around = [set(other.iterancestors()) for other in close]
    for ancestor in first.iterancestors():
        if ancestor is scoring.body:
            break
        if sum(ancestor in ancestors for ancestors in around) >= _AGREEING:
            return ancestor
    return first


def _rising_ancestor(top: HtmlElement, scoring: Scoring) -> HtmlElement:
    """The first element around `top` that scores more than the one before, if none between scores low."""
    last = scoring.score(top)
    lowest = last / 3
    for ancestor in top.iterancestors():
        if ancestor is scoring.body:
            break
        if ancestor not in scoring.scores:
            continue
        score = scoring.scores[ancestor]
        if score < lowest:
            break
        if score > last:
            return ancestor
        last = score
    return top


def gather(top: HtmlElement, scoring: Scoring) -> HtmlElement:
    """A `<div>` of the element and those of its siblings that read like a part of the same text."""
    article = top.makeelement("div")
    if top is scoring.body:
        article.text = top.text
        article.extend(list(top))
        return article
    least = max(10.0, scoring.score(top) * 0.2)
    for sibling in list(top.getparent()):
        if sibling is not top and not _belongs(sibling, top, scoring, least):
            continue
        if sibling.tag not in _KEPT_AS_THEY_ARE:
            sibling.tag = "div"
        sibling.tail = None
        article.append(sibling)
    return article


def _belongs(sibling: HtmlElement, top: HtmlElement, scoring: Scoring, least: float) -> bool:
    same_class = sibling.get("class") and sibling.get("class") == top.get("class")
    bonus = scoring.score(top) * 0.2 if same_class else 0.0
    if (
        same_class
        and sibling.tag == top.tag
        and scoring.measures.chars(sibling) > 0
        and scoring.measures.link_density(sibling) < 0.3
    ):
        return True
    if sibling in scoring.scores and scoring.scores[sibling] + bonus >= least:
        return True
    if sibling.tag != "p":
        return False
    chars, density = scoring.measures.chars(sibling), scoring.measures.link_density(sibling)
    if chars > 80:
        return density < 0.25
    return chars > 0 and density == 0 and _SENTENCE_END.search(inner_text(sibling)) is not None
