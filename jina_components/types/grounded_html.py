"""How verdicts look in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

from jina_components.types.texts import shorten

if TYPE_CHECKING:
    from jina_components.types.grounded import GroundedText, Grounding, Reference, Verdict

# A sign, a line and a tint each, so that none is told by its colour alone. The colours are Okabe and Ito's, which
# the colour-blind tell apart; the tints are thin, and the text keeps the theme's own colour, dark or light.
_LOOKS: dict[Verdict, tuple[str, str, str]] = {
    "supported": ("✓", "solid", "0,158,115"),
    "refuted": ("✗", "double", "213,94,0"),
    "not enough evidence": ("?", "dotted", "128,128,128"),
}
_QUOTES_ON_HOVER = 3


def text_html(grounded: GroundedText) -> str:
    """The text with its sentences marked, the legend, and the quotes as notes."""
    pieces: list[str] = []
    notes: list[str] = []
    place = 0
    for sentence in grounded.sentences:
        pieces.append(html.escape(grounded.text[place : sentence.start]))
        words = html.escape(grounded.text[sentence.start : sentence.end])
        if sentence.grounding is None:
            pieces.append(words)
        else:
            notes.append(f"<li>{_line(sentence.grounding)}</li>")
            pieces.append(_marked(words, sentence.grounding, len(notes)))
        place = sentence.end
    pieces.append(html.escape(grounded.text[place:]))
    share = "" if grounded.factuality is None else f" · factuality {grounded.factuality:.2f}"
    legend = " · ".join(_badge(verdict) for verdict in _LOOKS)
    return (
        f"<div><p><small>{legend}{share}</small></p>"
        f"<div style='white-space:pre-wrap;line-height:1.7'>{''.join(pieces)}</div>"
        f"<details><summary><small>{len(notes)} checked</small></summary><ol>{''.join(notes)}</ol></details>"
        f"{_warnings(grounded.warnings)}</div>"
    )


def grounding_html(grounding: Grounding) -> str:
    """The verdict, the reason, each claim with its own where there are several, and the quotes."""
    claims = "".join(
        f"<li>{_badge(claim.verdict)} {html.escape(claim.claim)} <small>({claim.factuality:.2f})</small></li>"
        for claim in grounding.claims
    )
    is_several = len(grounding.claims) > 1
    return (
        f"<div><p>“{html.escape(grounding.statement)}”</p>"
        f"<p>{_badge(grounding.verdict)} <small>(factuality {grounding.factuality:.2f})</small> "
        f"{html.escape(grounding.reason)}{'' if is_several else _checked_as(grounding)}</p>"
        f"{f'<ul>{claims}</ul>' if is_several else ''}"
        f"{_quotes(grounding.references)}{_warnings(grounding.warnings)}</div>"
    )


def _marked(words: str, grounding: Grounding, number: int) -> str:
    sign, line, tint = _LOOKS[grounding.verdict]
    shown = [_said(reference) for reference in grounding.references[:_QUOTES_ON_HOVER]]
    title = html.escape("\n".join([f"{grounding.verdict}: {shorten(grounding.reason, 200)}", *shown]))
    style = f"color:inherit;background:rgba({tint},.18);border-bottom:3px {line} rgb({tint})"
    return f"<mark style='{style}' title='{title}'>{words}</mark><sup>{sign}{number}</sup>"


def _line(grounding: Grounding) -> str:
    reason = html.escape(grounding.reason)
    return f"{_badge(grounding.verdict)} {reason}{_checked_as(grounding)}{_quotes(grounding.references)}"


def _checked_as(grounding: Grounding) -> str:
    """The claims that are not told in the words of the statement."""
    claims = "; ".join(f"“{html.escape(claim)}”" for claim in grounding.checked_as)
    return f" <small>(checked as: {claims})</small>" if claims else ""


def _badge(verdict: Verdict) -> str:
    sign, line, tint = _LOOKS[verdict]
    return f"<b style='border-bottom:3px {line} rgb({tint})'>{sign} {verdict}</b>"


def _quotes(references: Iterable[Reference]) -> str:
    items = "".join(
        f"<li>{'for' if each.is_supportive else 'against'} ({each.confidence:.2f}): “{html.escape(each.key_quote)}” "
        f"<small>{html.escape(each.title)} {_linked(each.url)}, characters {each.start}–{each.end}</small></li>"
        for each in references
    )
    return f"<ul>{items}</ul>" if items else ""


def _linked(url: str) -> str:
    shown = html.escape(url)
    is_web = url.startswith(("http://", "https://"))  # rather than a path, or a script
    return f"<a href='{shown}' rel='noopener noreferrer'>{shown}</a>" if is_web else shown


def _said(reference: Reference) -> str:
    return f"{'for' if reference.is_supportive else 'against'}: “{shorten(reference.key_quote, 300)}” {reference.url}"


def _warnings(warnings: Iterable[str]) -> str:
    items = "".join(f"<li>{html.escape(warning)}</li>" for warning in warnings)
    return f"<p><small>To be known:</small></p><ul>{items}</ul>" if items else ""
