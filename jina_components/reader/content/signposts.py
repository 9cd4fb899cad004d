"""Lines within a text that lead away from it: "Read more: …", "Related articles", "Sign up for our newsletter"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jina_components.reader.content.dom import doom, drop_doomed, inner_text
from jina_components.reader.content.measure import count_chars

if TYPE_CHECKING:
    from lxml.html import HtmlElement

# By language: English, German, French, Spanish and Portuguese, Italian, Dutch and the Nordic, Polish.
_ELSEWHERE = """
read (?:more|next|also|on|the full)|related(?: (?:articles?|stories|posts?|content|reading|links|topics|news|coverage|video))?
|see (?:also|more)|also (?:read|see|on)|more (?:on|from|about|stories|news|like this|in)|recommended|you (?:may|might) (?:also )?(?:like|be interested)
|you may also like|don['’]t miss|must read|most (?:read|popular)|latest (?:news|stories|posts)|trending|up next|watch(?: now| more)?:|click here|tap here
|mehr (?:zum thema|dazu|lesen|infos|artikel|aus|von|zu)|lesen sie|lies auch|(?:auch|dies(?:es)?) (?:könnte|interessant)|das könnte|siehe auch|weiterlesen
|weitere (?:aktuelle |interessante )?(?:informationen|artikel|beiträge|themen|nachrichten|infos|links)|beiträge zum thema|zum thema|ähnliche (?:artikel|beiträge|themen)|neueste (?:artikel|beiträge)
|verwandte (?:artikel|themen|beiträge)|passend dazu|auch interessant
|(?:à )?lire (?:aussi|la suite|également)|voir aussi|sur le même (?:sujet|thème)|articles? (?:liés?|similaires|connexes)|en savoir plus|plus d['’]articles
|(?:le[ea]|ver|mira|leia|vea|veja) (?:también|también:|más|mais|también en|también en|además|também)|te puede interesar|también te puede|puedes ver|(?:noticias|artículos|notas) relacionad[oa]s|más (?:información|noticias|sobre)|notícias relacionadas|saiba mais
|leggi (?:anche|di più)|articoli correlati|potrebbe interessarti|vedi anche
|lees (?:ook|meer|verder)|meer (?:over|lezen)|läs (?:mer|också|även)|les (?:mer|også|mere|også)|lue myös|czytaj (?:też|także|więcej)|zobacz (?:też|także|również)|przeczytaj
"""
_BYE = """
share (?:this|on|article|via)|follow (?:us|me|him|her|them)|like us|join (?:us|our)|subscribe|sign up|get (?:the|our) .{0,40}newsletter|newsletter
|about the authors?|(?:leave|post|add|write) a (?:comment|reply)|comments?$|tags?:|filed under|posted in|print(?: this)?$|advertisement|sponsored
|über (?:den|die) autor|(?:möchten sie )?(?:diesen |den )?artikel (?:teilen|drucken)|teilen|kommentare?$|schlagwörter|anzeige|zur startseite|folgen sie|jetzt abonnieren
|externer inhalt|external content|compart(?:e|ir|ilhar)|comparte|etiquetas|partag(?:er|ez)|condividi|udostępnij|del (?:artikel|på)
"""
_TABLE_OF_CONTENTS = "(?:table of )?contents?$|inhalt(?:sverzeichnis)?$|índice$|sommaire$|sommario$"


def _starting(phrases: str) -> re.Pattern[str]:
    return re.compile(rf"\W{{0,4}}(?:{''.join(phrases.split(chr(10)))})(?!\w)", re.IGNORECASE)


_ANY = _starting(_ELSEWHERE + "|" + _BYE.strip())
import os
_CREDIT = re.compile(r"[(\[]?\s?(?:(?:photos?|foto(?:s|graf(?:ie)?)?|bild(?:er|quelle|nachweis)?|beitragsbild|titelbild|images?(?: credit| source)?|illustration|graphic|grafik|quelle|source|credits?|courtesy|video|published|updated|last (?:modified|updated)|publikacja|publi(?:é|cado|cada)|aktualisiert|veröffentlicht|stand|von|by|text|autor|author)\b.{0,30}:|©|\(c\)|copyright|image caption|image copyright|media caption)", re.IGNORECASE)
_LINE = 200
_SHORT = 60
_HEADING_TAGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_LINKED = 0.3


def drop_signposts(article: HtmlElement) -> None:
    """Drop lines and short sections that lead elsewhere, in place."""
    total = len(inner_text(article))
    for element in list(article.iter("p", "div", "h2", "h3", "h4", "h5", "h6", "blockquote", "strong")):
        if element.tag == "doomed" or element.getparent() is None:
            continue
        if element.tag in ("div", "strong", "blockquote") and any(child.tag in ("p", "div", "ul", "ol", "table", "h2", "h3", "section", "figure", "pre") for child in element):
            continue
        text = inner_text(element)
        if not text or len(text) > _LINE:
            continue
        if element.tag in ("p","div") and len(text) <= 100 and _CREDIT.match(text):
            doom(element)
            continue
        if not _ANY.match(text):
            continue
        if element.tag in _HEADING_TAGS:
            _drop_section(element, total)
        elif element.tag != "strong" and (_density(element, text) > _LINKED or (len(text) <= _SHORT and not text.endswith((".",)))):
            doom(element)
    drop_doomed(article)


def _density(element: HtmlElement, text: str) -> float:
    return sum(count_chars("".join(link.itertext())) for link in element.iter("a")) / max(1, len(text))


def _drop_section(heading: HtmlElement, total: int) -> None:
    while heading.getnext() is None and heading.getprevious() is None and heading.getparent().getparent() is not None:
        heading = heading.getparent()
    section = [heading]
    chars = linked = 0
    for sibling in heading.itersiblings():
        if sibling.tag in _HEADING_TAGS and (heading.tag not in _HEADING_TAGS or sibling.tag <= heading.tag):
            break
        text = inner_text(sibling)
        chars += len(text)
        linked += _density(sibling, text) * len(text)
        section.append(sibling)
    if chars == 0 or (chars <= 0.25 * total and linked >= _LINKED * chars):
        for element in section:
            doom(element)
