"""Removes what lies over a page: cookie walls, dialogs, and pop-ups that want an address or money."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

# Ids and classes of consent managers, as they begin; not those with which they show a policy within a page.
_MANAGERS = {
    "Axeptio": r"axeptio_(?:overlay|mount|main)",
    "Borlabs": r"borlabscookiebox|borlabs-cookie-(?:box|dialog|overlay)|brlbs-cmpnt",
    "Clickio, Funding Choices": r"cl-consent|fc-consent-root|fc-dialog",
    "Complianz": r"cmplz-(?:cookiebanner|manage-consent|modal|soft-cookiewall)",
    "Consentmanager": r"cmpbox|cmpwrapper",
    "Cookiebot": r"cybotcookiebotdialog|cookiebanner(?:$|[\s_-])|cybot-?cookiebotunderlay",
    "CookieFirst": r"cookiefirst-root",
    "CookieYes": r"cky-(?:consent|modal|overlay|btn-revisit)|cookie-law-info-(?:bar|again)|cli-(?:modal|popupbar|bar)",
    "Cookie Notice": r"cookie-notice(?:$|[\s_-])|cn-notice|cn-overlay",
    "Didomi": r"didomi-(?:host|popup|notice|consent)",
    "Evidon": r"_evidon|evidon-(?:banner|consent|notice)",
    "GDPR Cookie Compliance": r"moove_gdpr|gdpr-cookie",
    "HubSpot": r"hs-eu-cookie",
    "Iubenda": r"iubenda-cs|iubenda-iframe",
    "Klaro": r"klaro(?:$|\s)",
    "OneTrust": r"onetrust-(?:consent-sdk|banner|pc|group)|optanon-(?:alert|popup)|ot-sdk-cookie-policy-group",
    "Osano": r"osano-cm|cc-(?:window|banner|overlay|floating)(?:$|\s)",
    "Quantcast": r"qc-cmp",
    "Real Cookie Banner": r"rcb-|cc_banner",
    "Shopify": r"shopify-pc__banner",
    "Sourcepoint": r"sp_message_",
    "Tarteaucitron": r"tarteaucitron(?:root|alert|services|premium)",
    "Termly": r"termly-(?:code-snippet|consent|banner)|t-consent",
    "TrustArc": r"truste(?:-consent|_overlay|_box|-banner)|trustarc-(?:banner|consent)|consent_blackbar|teconsent",
    "Usercentrics": r"usercentrics-(?:root|cmp|modal|button)|uc-(?:banner|overlay|consent)",
}
_OF_MANAGER = re.compile(rf"(?:^|\s)(?:{'|'.join(_MANAGERS.values())})", re.IGNORECASE)

_SUBJECT = (
    r"(?:cookies?|consent|gdpr|dsgvo|rgpd|ccpa|privacy|newsletter|mailing-?list|subscri(?:be|ption)|sign-?up|register|"
    r"registration|paywall|regwall|log-?in|exit-?intent|promo|offer|survey|feedback|ad-?block(?:er)?|age(?:-?verif\w{1,8})?|"
    r"app-?(?:install|download|promo))"
)
_LAID_OVER = (
    r"(?:banner|bar|notice|notification|pop-?ups?|pop-?over|modal|overlay|wall|layer|dialog|disclaimer|prompt|lightbox|"
    r"interstitial|gate|barrier|drawer|toast)"
)
_JOINED = r"(?:[-_]{1,2}|(?=[A-Z]))?(?:law|policy|settings?|preferences?|consent|info|message)?[-_]{0,2}"
# "cookie-banner", "newsletterPopup", "overlay_subscribe"; and the classes of libraries for windows.
_NAMED = re.compile(
    rf"(?:^|[\s_-])(?:{_SUBJECT}{_JOINED}{_LAID_OVER}|{_LAID_OVER}{_JOINED}{_SUBJECT})(?:$|[\s_-]|(?-i:[A-Z]))"
    r"|(?:^|\s)(?:modal|modal-dialog|modal-overlay|modal-wrapper|popup|popup-overlay|popup-wrapper|pop-up|lightbox|"
    r"mfp-wrap|fancybox-container|pum|pum-overlay|reveal-modal|ui-dialog|remodal|swal2-container)(?:$|\s)",
    re.IGNORECASE,
)
_FLOATING = re.compile(
    r"position\s{0,3}:\s{0,3}fixed.{0,300}z-index\s{0,3}:\s{0,3}\d{4}"
    r"|z-index\s{0,3}:\s{0,3}\d{4}.{0,300}position\s{0,3}:\s{0,3}fixed",
    re.IGNORECASE | re.DOTALL,
)
# Boxes and elements of scripts' own names: a link may be called a pop-up that opens one, an `<article>` is none.
_CANDIDATES = (
    "descendant::*[(self::div or self::section or self::aside or self::dialog or self::iframe or self::footer"
    " or contains(name(), '-')) and (@id or @class or @role or @style or @aria-modal or self::dialog)]"
)
_CONTENT = "descendant-or-self::*[self::main or self::article or @role='main' or self::h1]"
_TEXT = "descendant::text()[not(parent::script or parent::style or parent::noscript or parent::template)]"
# Whose text is a larger share of the page's than this is the page.
_LARGEST_SHARE = 0.4
_MOST_DOUBTS = 25


def remove_overlays(tree: HtmlElement) -> None:
    """Take cookie walls, consent dialogs and pop-ups out of a page, in place.

    Goes by what elements are called: the marks of consent managers, `role="dialog"`, `aria-modal`, `<dialog>`, names of
    which one part says what it wants and the other that it lies above, and inline styles that fix an element on top.
    What holds the main content (`<main>`, `<article>`, `<h1>`) stays; and so does, unless a consent manager made it,
    what holds more than 40 % of the text.
    """
    removed: HtmlElement | None = None
    whole = doubts = 0
    for element in tree.xpath(_CANDIDATES):
        if removed is not None and removed in element.iterancestors():
            continue
        named = f"{element.get('id', '')[:200]} {element.get('class', '')[:500]}"
        of_manager = _OF_MANAGER.search(named) is not None
        if not of_manager and (doubts >= _MOST_DOUBTS or not _lies_above(element, named)):
            continue
        if not of_manager:
            whole = whole or _size(tree)
        if element.xpath(_CONTENT) or (not of_manager and _size(element) > _LARGEST_SHARE * whole):
            doubts += 1
            continue
        element.drop_tree()
        removed = element


def _lies_above(element: HtmlElement, named: str) -> bool:
    role = element.get("role", "").lower()
    return (
        element.tag == "dialog"
        or role in ("dialog", "alertdialog")
        or element.get("aria-modal", "").lower() == "true"
        or _NAMED.search(named) is not None
        or _FLOATING.search(element.get("style", "")[:1_000]) is not None
    )


def _size(element: HtmlElement) -> int:
    return sum(len(text.strip()) for text in element.xpath(_TEXT))
