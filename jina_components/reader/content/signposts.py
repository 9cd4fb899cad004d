"""Lines within a text that lead away from it: "Read more: …", "Related articles", "Photo: …"."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from jina_components.reader.content.dom import HEADINGS, doom, drop_doomed, short_text
from jina_components.reader.content.measure import Measures

if TYPE_CHECKING:
    from lxml.html import HtmlElement

# Beginnings of lines, each line below one or more: in English, German, French, Spanish and Portuguese, Italian, Dutch
# and the Nordic languages, Polish.
_ELSEWHERE = r"""
read (?:more|next|also|on|the full)|see more|also (?:read|see|on)|must read|up next|watch(?: now| more)?:
more (?:on|from|about|stories|news|like this|in)|recommended|trending|most (?:read|popular)|don['’]t miss
related(?: (?:articles?|stories|posts?|content|reading|links|topics|news|coverage|video))?
you (?:may|might) (?:also )?(?:like|be interested)|latest (?:news|stories|posts)|(?:click|tap) here
mehr (?:zum thema|dazu|lesen|infos|artikel|aus|von|zu)|lesen sie|lies auch|weiterlesen|zum thema
(?:auch|dies(?:es)?) (?:könnte|interessant)|das könnte|beiträge zum thema|passend dazu
(?:ähnliche|verwandte|neueste) (?:artikel|beiträge|themen)
weitere (?:aktuelle |interessante )?(?:informationen|artikel|beiträge|themen|nachrichten|infos|links)
(?:à )?lire (?:aussi|la suite|également)|sur le même (?:sujet|thème)|en savoir plus|plus d['’]articles
articles? (?:liés?|similaires|connexes)
(?:le[ea]|ver|mira|leia|vea|veja) (?:también|más|mais|además|também)|(?:también )?te puede|puedes ver|saiba mais
(?:noticias|artículos|notas|notícias) relacionad[oa]s|más (?:información|noticias|sobre)
leggi (?:anche|di più)|articoli correlati|potrebbe interessarti
lees (?:ook|meer|verder)|meer (?:over|lezen)|läs (?:mer|också|även)|les (?:mer|også|mere)|lue myös
czytaj (?:też|także|więcej)|zobacz (?:też|także|również)|przeczytaj
"""
_FAREWELLS = r"""
share (?:this|on|article|via)|follow (?:us|me|him|her|them)|like us|join (?:us|our)|subscribe|sign up|newsletter
get (?:the|our) .{0,40}newsletter|about the authors?|(?:leave|post|add|write) a (?:comment|reply)|comments?$|tags?:
filed under|posted in|print(?: this)?$|advertisement|sponsored|external content
über (?:den|die) autor|(?:möchten sie )?(?:diesen |den )?artikel (?:teilen|drucken)|teilen|kommentare?$|schlagwörter
anzeige|zur startseite|folgen sie|jetzt abonnieren|externer inhalt
compart(?:e|ir|ilhar)|etiquetas|partag(?:er|ez)|condividi|udostępnij|del (?:artikel|på)
"""
_CREDITS = r"""
photos?|images?(?: credit| source)?|illustration|credits?|courtesy|video|published|updated
last (?:modified|updated)
foto(?:s|graf(?:ie)?)?|bild(?:er|quelle|nachweis)?|beitragsbild|titelbild|grafik|quelle|aktualisiert
veröffentlicht|von|autor
publi(?:é|cado|cada|kacja)
"""


def _any_of(lines: str) -> str:
    return f"(?:{'|'.join(lines.split(chr(10))[1:-1])})"


_SIGNPOST = re.compile(rf"\W{{0,4}}(?:{_any_of(_ELSEWHERE)}|{_any_of(_FAREWELLS)})(?!\w)", re.IGNORECASE)
_FAREWELL = re.compile(rf"\W{{0,4}}{_any_of(_FAREWELLS)}(?!\w)", re.IGNORECASE)
_CREDIT = re.compile(
    rf"\W{{0,4}}{_any_of(_CREDITS)}\s?:"
    r"|[(\[]?(?:©|\(c\)|copyright|image c(?:aption|opyright)|media caption)",
    re.IGNORECASE,
)
_CREDIT_CHARS = 100
_LINE_CHARS = 200
_PHRASE_CHARS = 60
_LINKED = 0.3
_LARGEST_SECTION = 0.25
_PARAGRAPH = 80
# More parts than this follow no line of the kind; every heading of a hostile page would look at all that follow.
_MOST_PARTS = 200

_LINES = ("blockquote", "div", "h2", "h3", "h4", "h5", "h6", "p")
_BLOCKS = frozenset(("div", "figure", "h2", "h3", "ol", "p", "pre", "section", "table", "ul"))


def drop_signposts(article: HtmlElement) -> None:
    """Drop lines and sections of links that lead elsewhere, and credits of pictures and authors."""
    measures = Measures(article)
    for element in list(article.iter(*_LINES)):
        if element is article or measures.chars(element) > _LINE_CHARS:
            continue
        if element.tag not in HEADINGS and any(child.tag in _BLOCKS for child in element):
            continue
        text = short_text(element, _LINE_CHARS) or ""
        if element.tag in HEADINGS:
            if _SIGNPOST.match(text):
                _drop_section(element, article, measures)
        elif _is_credit(element, text) or (_SIGNPOST.match(text) and _leads_away(element, text, measures)):
            doom(element)
    drop_doomed(article)


def _is_credit(element: HtmlElement, text: str) -> bool:
    return element.tag in ("p", "div") and len(text) <= _CREDIT_CHARS and _CREDIT.match(text) is not None


def _leads_away(element: HtmlElement, text: str, measures: Measures) -> bool:
    if measures.link_density(element) > _LINKED:
        return True
    return len(text) <= _PHRASE_CHARS and (text.endswith(":") or _FAREWELL.match(text) is not None) and text[-1] != "."


def _drop_section(heading: HtmlElement, article: HtmlElement, measures: Measures) -> None:
    """Drop a heading and what follows it up to the next one, if that is short and mostly links."""
    first = heading
    while first.getnext() is None and first.getprevious() is None and first.getparent() is not article:
        first = first.getparent()
    section, chars, linked = [first], 0, 0.0
    for sibling in islice(first.itersiblings(), _MOST_PARTS):
        if sibling.tag in HEADINGS and (first is not heading or sibling.tag <= heading.tag):
            break
        if measures.chars(sibling) >= _PARAGRAPH and measures.link_density(sibling) <= _LINKED:
            break
        section.append(sibling)
        chars += measures.chars(sibling)
        linked += measures.linked(sibling) + (measures.chars(sibling) if sibling.tag == "a" else 0)
    if chars == 0 or (chars <= _LARGEST_SECTION * measures.chars(article) and linked >= _LINKED * chars):
        for element in section:
            doom(element)
