from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml.html import HtmlElement, HTMLParser, document_fromstring, tostring

from jina_components.reader.overlays import remove_overlays

ARTICLE = "<article><h1>Rain</h1><p>" + "It has rained on the hills since the early morning. " * 8 + "</p></article>"
WORDS = "We value your privacy. Accept all."


def parsed(body: str) -> HtmlElement:
    return document_fromstring(f"<html><body>{body}</body></html>", parser=HTMLParser(huge_tree=True))


def left(body: str) -> str:
    tree = parsed(body)
    remove_overlays(tree)
    return str(tostring(tree, encoding="unicode"))


MANAGERS = {
    "OneTrust": "<div id=onetrust-consent-sdk><div id=onetrust-banner-sdk>{}</div></div>",
    "Cookiebot": "<div id=CybotCookiebotDialog>{}</div>",
    "Didomi": "<div id=didomi-host>{}</div>",
    "Quantcast": "<div id=qc-cmp2-container class=qc-cmp-cleanslate>{}</div>",
    "TrustArc": "<div id=truste-consent-track>{}</div>",
    "Usercentrics": "<aside id=usercentrics-cmp-ui>{}</aside>",
    "Sourcepoint": "<div id=sp_message_container_1234>{}</div>",
    "Complianz": "<div id=cmplz-cookiebanner-container>{}</div>",
    "CookieYes": "<div class='cky-consent-container cky-box-bottom-left'>{}</div>",
    "Osano": "<div class='osano-cm-window'>{}</div>",
    "Cookie Consent": "<div role=region class='cc-window cc-banner cc-type-info'>{}</div>",
    "Iubenda": "<div id=iubenda-cs-banner>{}</div>",
    "Klaro": "<div id=klaro><div class=klaro>{}</div></div>",
    "Borlabs": "<div id=BorlabsCookieBox>{}</div>",
    "Consentmanager": "<div id=cmpwrapper class=cmpwrapper>{}</div>",
    "Funding Choices": "<div class=fc-consent-root>{}</div>",
}
OTHERS = [
    "<div role=dialog>{}</div>",
    "<section role=alertdialog>{}</section>",
    "<div aria-modal=true>{}</div>",
    "<dialog open>{}</dialog>",
    "<div class=cookie-banner>{}</div>",
    "<div class='site-cookie-notice visible'>{}</div>",
    "<div id=cookieConsentBanner>{}</div>",
    "<div id=cookiePolicyBar>{}</div>",
    "<div class=gdpr_overlay>{}</div>",
    "<div class='c-newsletter-popup'>{}</div>",
    "<div class='newsletterModal is-open'>{}</div>",
    "<div class=overlay--subscribe>{}</div>",
    "<div class='modal fade' id=x>{}</div>",
    "<div class=paywall-overlay>{}</div>",
    "<div class=adblock-modal>{}</div>",
    "<div style='position: fixed; top: 0; z-index: 99999'>{}</div>",
    "<cookie-consent class=cookie-wall>{}</cookie-consent>",
]


@pytest.mark.parametrize("overlay", [*MANAGERS.values(), *OTHERS], ids=[*MANAGERS, *OTHERS])
def test_an_overlay_goes_and_the_page_stays(overlay: str) -> None:
    html = left(f"{ARTICLE}{overlay.format(WORDS)}the end")
    assert WORDS not in html
    assert "the early morning" in html
    assert "the end" in html


@pytest.mark.parametrize("overlay", MANAGERS.values(), ids=MANAGERS)
def test_a_manager_goes_however_long_its_list_of_partners_is(overlay: str) -> None:
    assert "Partner 7" not in left(ARTICLE + overlay.format(" ".join(f"Partner {n} wants data." for n in range(500))))


@pytest.mark.parametrize(
    "body",
    [
        f"<div class=modal>{ARTICLE}</div>",
        f"<div role=dialog><main>{ARTICLE}</main></div>",
        f"<div id=onetrust-consent-sdk>{ARTICLE}</div>",
        "<div class=popup><p>" + "It has rained on the hills. " * 20 + "</p></div><p>Imprint</p>",
        f"{ARTICLE}<a class=popup href=/x>rain gauge</a>",
        f"{ARTICLE}<div class=paywall-content>kept text</div>",
        f"{ARTICLE}<div class=chocolate-cookies-recipe>kept text</div>",
        f"{ARTICLE}<div class=cookie-policy-text>kept text</div>",
        f"{ARTICLE}<div class=image-overlay-caption>kept text</div>",
        f"{ARTICLE}<div class=newsletter-archive>kept text</div>",
        f"{ARTICLE}<div id=CookieDeclaration>kept text</div>",
        f"{ARTICLE}<div class=privacy-policy>kept text</div>",
        f"{ARTICLE}<div class=modality>kept text</div><p class=sidebar>kept text</p>",
        f"<body class='modal-open cookie-banner'>{ARTICLE}</body>",
    ],
)
def test_content_stays(body: str) -> None:
    tree = parsed(body)
    before = tostring(tree)
    remove_overlays(tree)
    assert tostring(tree) == before


@pytest.mark.parametrize(
    "body",
    [
        "<div class=modal>" * 1_500 + "x " * 100_000,
        "<div class=modal>" * 1_500 + "<article>" + "<b>x</b>" * 50_000,
        "<div class=cookie-banner>x</div>" * 20_000,
        "<div class='" + "cookie-" * 50_000 + "'>x",
        "<div style='" + "position:fixed;" * 20_000 + "'>x",
        "<div style='" + "z-index: 1000 " * 20_000 + "'>x",
    ],
)
def test_hostile_pages_take_no_long_time(body: str) -> None:
    tree = parsed(body)
    begun = time.process_time()
    remove_overlays(tree)
    assert time.process_time() - begun < 5


PIECES = [ARTICLE, "<p>kept</p>", *(each.format(WORDS) for each in [*MANAGERS.values(), *OTHERS])]


@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_removing_twice_is_removing_once(pieces: list[str]) -> None:
    tree = parsed("".join([ARTICLE, *pieces]))
    remove_overlays(tree)
    once = tostring(tree)
    assert once.count(b"kept") == pieces.count("<p>kept</p>")
    remove_overlays(tree)
    assert tostring(tree) == once
