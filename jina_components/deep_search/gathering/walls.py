"""Short pages that say nothing of what they are about: errors, walls, notices."""

from __future__ import annotations

import re

_LONGEST = 300
"""Characters from which on a page is taken at its word."""

# Looked for in title and text, in this order.
_SIGNS: dict[str, re.Pattern[str]] = {
    why: re.compile(sign, re.IGNORECASE)
    for why, sign in {
        "it checks whether a robot asks": (
            r"captcha|(?:are|you're|you are|verify).{0,30}\b(?:human|robot)|unusual traffic|just a moment"
            r"|checking your browser|ddos protection|cf-ray|\bray id\b|security check|attention required"
        ),
        "it denies access": (
            r"access (?:to this page )?(?:has been |is )?denied|\b403\b.{0,20}forbidden|^\s*forbidden\b"
            r"|request (?:was |has been )?blocked|you have been blocked|zugriff verweigert|accès refusé"
            r"|not available in your (?:country|region)"
        ),
        "it is an error page": (
            r"\b(?:404|410)\b.{0,30}(?:not found|gone|error)|(?:error|http|status|fehler|erreur) ?:? ?\b[45]\d\d\b"
            r"|page (?:was |cannot be |could not be |you requested )?not (?:be )?found|page (?:does not|doesn't) exist"
            r"|internal server error|bad gateway|service (?:temporarily )?unavailable|gateway time-?out"
            r"|seite (?:wurde )?nicht gefunden|page (?:introuvable|non trouvée)|página no encontrada"
            r"|pagina non trovata|страница не найдена|页面不存在|ページが見つかりません|oops!? (?:something|that page)"
        ),
        "it limits how often it is asked": r"too many requests|rate limit(?:ed)? ?exceeded|error 429\b",
        "it wants scripts to run": (
            r"(?:enable|turn on|activate|requires?|needs?).{0,40}\bjava ?script"
            r"|java ?script.{0,40}(?:required|enabled?|disabled)"
        ),
        "it asks for consent first": (
            r"(?:accept|allow|manage|reject) (?:all |the )?cookies|(?:site|website|we) uses? cookies"
            r"|cookie (?:consent|policy|settings|preferences|notice)|before you continue to|we value your privacy"
        ),
        "it asks to log in, or to pay": (
            r"(?:log|sign) ?in to (?:continue|view|read|see|access)|please (?:log|sign) ?in|create an account to"
            r"|(?:log ?in|subscription|account) required|subscribe to (?:continue|read)|subscribers only"
        ),
        "nobody uses its domain": (
            r"domain (?:name )?(?:is|may be) for sale|buy this domain|domain (?:is )?parked|parked (?:free|domain)"
            r"|account (?:has been )?suspended"
        ),
    }.items()
}


def wall(title: str, text: str) -> str:
    """Why a page is no evidence, in words: "it is an error page"; empty where it may be."""
    if not text.strip():
        return "it holds no text"
    if len(text) > _LONGEST:
        return ""
    said = f"{title[:_LONGEST]}\n{text}"
    return next((why for why, sign in _SIGNS.items() if sign.search(said)), "")
