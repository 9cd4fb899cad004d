"""What a fetched page lets one see of what is missing: scripts that would fill it, walls, frames, shadow roots.

All of it is judged by tables of signs, and only where the page holds little prose: an article is never doubted.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lxml.html import HtmlElement

# Sizes are bytes of UTF-8: a Chinese character says about as much as three Latin ones, and takes as many.
_SENTENCE = 60  # text nodes from which on they are sentences; shorter ones may as well be buttons and menus
_ENOUGH_PROSE = 400  # of sentences, from which on a page is taken to be complete
_LITTLE_PROSE = 600  # up to which a wall, a form or a frame may be what the page is about
_LITTLE_TEXT = 3_000  # of any text, likewise
_SHORT = 300
# Where sentences usually stand; Chinese ones are a third as long in characters.
_PARAGRAPHS = f"descendant::p[string-length(.) >= {_SENTENCE // 3}]"
_LINES = (
    "descendant::*[self::div or self::td or self::li or self::dd or self::font or self::blockquote or self::article"
    f" or self::section or self::body]/text()[string-length(.) >= {_SENTENCE // 3}]/parent::*"
)
# What is looked at of each kind: pages may nest and repeat elements to no end.
_MOST_ELEMENTS = 50
_MOST_CHARACTERS = 1_000_000
_EMPTY = 30

_UNSEEN = frozenset(("applet", "audio", "canvas", "datalist", "embed", "head", "iframe", "math", "noscript", "object",
                     "option", "script", "select", "style", "svg", "template", "textarea", "title",
                     "video"))  # fmt: skip
_AROUND = frozenset(("aside", "footer", "header", "nav"))
_HIDDEN = re.compile(r"display\s{0,3}:\s{0,3}none|visibility\s{0,3}:\s{0,3}hidden", re.IGNORECASE)
_CONSENT = re.compile(r"cookie|consent|gdpr|onetrust|didomi", re.IGNORECASE)

# Where applications built by script put their page: React, Vue, Next, Nuxt, Gatsby, Angular, Svelte, Ember …
_ROOTS = (
    "descendant::*[@id='root' or @id='app' or @id='__next' or @id='__nuxt' or @id='___gatsby' or @id='app-root'"
    " or @id='react-root' or @id='react-app' or @id='reactroot' or @id='main-app' or @id='svelte' or @id='q-app'"
    " or @id='ember-app' or @id='mount' or @id='app-mount' or @id='application' or @id='content-root'"
    " or @ng-app or @data-ng-app or @ng-version or @data-reactroot or self::app-root or self::ion-app]"
)
_MAIN = "descendant::*[self::main or self::article or @role='main']"
# Files and data that such an application is built from.
_BUNDLES = (
    "descendant::script[(@type='module' and @src) or contains(@src, '/_next/static') or contains(@src, '/_nuxt/')"
    " or contains(@src, 'bundle') or contains(@src, 'chunk') or contains(@src, 'webpack') or contains(@src, 'runtime')"
    " or contains(@src, 'polyfills') or contains(@src, '/static/js/main') or contains(@src, '/main.')"
    " or contains(@src, '/app.') or contains(@src, '/index.') or contains(@src, 'vendor') or @id='__NEXT_DATA__'"
    " or @id='__NUXT_DATA__']"
)
_ASKS_FOR_SCRIPT = re.compile(
    r"(?:enable|turn on|activate|requires?|needs?|without|support)\b.{0,40}\bjava\s?script"
    r"|java\s?script\b.{0,40}(?:required|enabled?|disabled|turned off|needed|necessary)"
    r"|java\s?script\b.{0,40}(?:aktivier|einschalten|erforderlich|deaktiviert|benötigt)|aktivier\w{0,4}\b.{0,30}java\s?script"
    r"|(?:activer|activez|nécessite|désactivé)\b.{0,40}java\s?script|java\s?script\b.{0,40}(?:activé|désactivé|requis)"
    r"|(?:habilit|activ|requiere|necesit)\w{0,4}\b.{0,40}java\s?script|java\s?script\b.{0,40}(?:habilitad|desactivad|activad)"
    r"|(?:abilit|attiv|richiede)\w{0,4}\b.{0,40}java\s?script|java\s?script\b.{0,40}(?:abilitat|attivat|disattivat)"
    r"|(?:ative|habilite|requer)\b.{0,40}java\s?script|schakel\b.{0,40}java\s?script|(?:włącz|включи)\w{0,4}\b.{0,40}java\s?script"
    r"|java\s?script.{0,12}(?:を有効|が無効|が必要|필요|활성화|启用|啟用|禁用)|(?:启用|啟用|开启|需要).{0,12}java\s?script",
    re.IGNORECASE | re.DOTALL,
)
_LOADING = re.compile(
    r"\W{0,3}(?:loading|please wait|redirecting|wird geladen|chargement|cargando|caricamento|carregando|загрузка|"
    r"読み込み中|加载中|載入中)\b.{0,40}",
    re.IGNORECASE,
)
_MOVES_ON = re.compile(r"\blocation\s{0,3}(?:\.href\s{0,3})?=(?!=)|\blocation\.(?:replace|assign|reload)\s{0,3}\(")


@dataclass(frozen=True, slots=True)
class _Wall:
    """A page that stands before another: who puts it there, its title, and what its markup holds."""

    name: str
    title: str = ""
    path: str = ""


_WALLS = (
    _Wall("Cloudflare", r"just a moment|attention required! \| cloudflare|un momento…|einen moment",
          "descendant::script[contains(., '_cf_chl_opt')] | descendant::*[@id='cf-error-details'"
          " or @id='challenge-form' or @id='cf-challenge-running' or contains(@class, 'cf-browser-verification')]"),
    _Wall("DataDome", "", "descendant::*[(self::script or self::iframe) and contains(@src, 'captcha-delivery.com')]"
          " | descendant::script[contains(., 'captcha-delivery.com')]"),
    _Wall("HUMAN (PerimeterX)", r"access to this page has been denied",
          "descendant::*[@id='px-captcha' or @id='px-captcha-wrapper']"),
    _Wall("Akamai", "", "descendant::*[@id='sec-if-cpt-container' or @id='sec-cpt-if']"
          " | descendant::meta[contains(@content, 'bm-verify=')]"
          " | descendant::body[contains(., 'errors.edgesuite.net') or (contains(., 'have permission to access')"
          " and contains(., 'Reference #'))]"),
    _Wall("Imperva", "", "descendant::*[(self::script or self::iframe) and contains(@src, '_Incapsula_Resource')]"
          " | descendant::body[contains(., 'Incapsula incident ID')]"),
    _Wall("AWS WAF", r"human verification",
          "descendant::script[contains(., 'gokuProps') or contains(., 'AwsWafIntegration')]"),
    _Wall("Google", "", "descendant::form[@id='captcha-form']"
          " | descendant::body[contains(., 'detected unusual traffic from your computer network')]"),
    _Wall("Sucuri", r"sucuri website firewall", "descendant::script[contains(., 'sucuri_cloudproxy')]"),
    _Wall("DDoS-Guard", r"ddos-guard", "descendant::script[contains(@src, '/.well-known/ddos-guard/')]"),
    _Wall("Kasada", "", "descendant::script[contains(., 'KPSDK')]"),
    _Wall("Vercel", r"vercel security checkpoint"),
    _Wall("Anubis", r"making sure you(?:'|’|&#39;)re not a bot", "descendant::script[@id='anubis_challenge']"),
    _Wall("Amazon", r"robot check|bot check", "descendant::form[contains(@action, 'validateCaptcha')]"),
    _Wall("a CAPTCHA", r"captcha|are you a (?:human|robot)|robot or human|security check|verify you are (?:a )?human",
          "descendant::*[contains(@class, 'g-recaptcha') or contains(@class, 'h-captcha')"
          " or contains(@class, 'cf-turnstile') or contains(@class, 'geetest') or contains(@class, 'frc-captcha')]"
          "[not(ancestor::form//textarea)][not(ancestor::form//input[@type='email'])]"),
)  # fmt: skip
_DENIED = re.compile(
    r"\s*(?:403 )?(?:access (?:to this page )?(?:is |has been )?denied|forbidden|request blocked)", re.IGNORECASE
)
_NOT_FOUND = re.compile(
    r"\b404\b|(?:page|site|file|article|content) (?:could )?(?:not (?:be )?found|does(?:n't| not) exist)|\bnot found\b"
    r"|(?:seite|artikel) (?:wurde )?(?:leider )?nicht gefunden|page (?:introuvable|non trouvée)"
    r"|no (?:se ha )?encontrad[ao]|pagina non trovata|página não encontrada|pagina niet gevonden|страница не найдена"
    r"|ページが見つかりません|页面不存在",
    re.IGNORECASE,
)
_LOGIN = "descendant::input[@type='password'][not(ancestor::header or ancestor::nav or ancestor::footer)]"
_NOT_FREE = re.compile(r'"isAccessibleForFree"\s{0,5}:\s{0,5}"?false', re.IGNORECASE)
_PAYWALL = (
    "descendant::*[contains(@class, 'paywall') or contains(@id, 'paywall') or contains(@class, 'piano-offer')"
    " or contains(@class, 'regwall') or contains(@class, 'subscription-wall')]"
)
_FRAMES = "descendant::iframe[@srcdoc or (@src and not(starts-with(@src, 'about:')))] | descendant::frame[@src]"
_NO_CONTENT = re.compile(
    r"googletagmanager|doubleclick|googlesyndication|recaptcha|hcaptcha|facebook\.com/plugins|consent|adservice|analytics|"
    r"accounts\.google|stripe|paypal|\bads?\b",
    re.IGNORECASE,
)
_SHADOW = "descendant::template[@shadowrootmode or @shadowroot]"
_SHADOW_TEXT = 200


def needs_browser(tree: HtmlElement) -> bool:
    """Whether a page as the server sent it is empty or a shell, which only a browser would fill.

    It is not where it holds 400 bytes of sentences, whatever its scripts do with them. Call it before anything is
    taken out of the tree.
    """
    if _has_prose(tree, _ENOUGH_PROSE) or (seen := _seen(tree, _ENOUGH_PROSE)).prose >= _ENOUGH_PROSE:
        return False
    if seen.size < _EMPTY or _LOADING.fullmatch(seen.text):
        return next(tree.iter("script"), None) is not None or _refreshes(tree)
    if seen.size > _LITTLE_TEXT:
        return False
    if any(_is_empty(root) for root in _find(_ROOTS, tree)):
        return True
    asked = " ".join([seen.text, *(_text(element) for element in islice(tree.iter("noscript"), _MOST_ELEMENTS))])
    if seen.prose < _ENOUGH_PROSE / 2 and _ASKS_FOR_SCRIPT.search(asked[:10_000]):
        return True
    built = bool(_find(_BUNDLES, tree))
    if built and (seen.size < _SHORT or all(map(_is_empty, _find(_MAIN, tree) or [None]))):
        return True
    return seen.size < _SHORT and (_refreshes(tree) or any(_MOVES_ON.search(text) for text in _scripts(tree)))


def page_warnings(tree: HtmlElement) -> tuple[str, ...]:
    """What a reader of the page should know: a wall or an error in its place, or text that is not shown.

    Call it before anything is taken out of the tree.
    """
    found = []
    if not _has_prose(tree, _LITTLE_PROSE) and (seen := _seen(tree, _LITTLE_PROSE)).prose < _LITTLE_PROSE:
        title = " ".join(_text(element) for element in list(tree.iter("title"))[:1])
        found = [warning for warning in (_wall(tree, title, seen), _missing(title, seen)) if warning][:1]
        found = found or [warning for warning in (_paid(tree), _login(tree, seen), _framed(tree, seen)) if warning]
    if sum(len(_text(template)) for template in _find(_SHADOW, tree)) >= _SHADOW_TEXT:
        found.append("Text is in shadow roots, which were not read: turn on shadow_dom to read it in a browser.")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a browser without scripts would show: its size, that of the sentences, and the first of the text."""

    size: int
    prose: int
    text: str


def _seen(tree: HtmlElement, enough: int) -> _Seen:
    """Reads on until there is `enough` prose."""
    size = prose = 0
    first: list[str] = []
    for text, around in _texts(tree):
        length = len(text.encode("utf-8", "surrogatepass"))
        size += length
        prose += length if length >= _SENTENCE and not around else 0
        if len(first) < 100:
            first.append(text[:1_000])
        if prose >= enough:
            break
    return _Seen(size, prose, " ".join(first))


def _has_prose(tree: HtmlElement, enough: int) -> bool:
    """Whether the first paragraphs make `enough` prose: found in less time than all visible text."""
    for path in (_PARAGRAPHS, _LINES):
        prose = read = 0
        for element in _find(path, tree):
            text = element.text_content() if path is _PARAGRAPHS else _longest(element)
            read += len(text)
            length = len(" ".join(text[:5_000].split()).encode("utf-8", "surrogatepass"))
            if length >= _SENTENCE and not any(
                each.tag in _AROUND or _is_unseen(each) for each in _with_parents(element)
            ):
                prose += length
            if prose >= enough or read > _MOST_CHARACTERS:
                break
        if prose >= enough:
            return True
    return False


def _longest(element: HtmlElement) -> str:
    """The longest text of an element's own."""
    return max((element.text or "", *(child.tail or "" for child in islice(element, _MOST_ELEMENTS))), key=len)


def _with_parents(element: HtmlElement) -> Iterator[HtmlElement]:
    yield element
    yield from element.iterancestors()


def _texts(tree: HtmlElement) -> Iterator[tuple[str, bool]]:
    """Visible texts, and whether each stands around the content rather than in it."""
    from lxml.etree import iterwalk

    around = 0
    walker = iterwalk(tree, events=("start", "end"))
    for event, element in walker:
        if event == "start" and _is_unseen(element):
            walker.skip_subtree()
            continue
        around += (1 if event == "start" else -1) * (element.tag in _AROUND)
        text = " ".join(((element.text if event == "start" else element.tail) or "").split())
        if text:
            yield text, around > 0


def _is_unseen(element: HtmlElement) -> bool:
    if not isinstance(element.tag, str) or element.tag in _UNSEEN or element.get("hidden") is not None:
        return True
    if element.tag in ("html", "body"):
        return False
    named = f"{element.get('id', '')} {element.get('class', '')}"
    return bool(_HIDDEN.search(element.get("style", "")) or _CONSENT.search(named[:300]))


def _is_empty(element: HtmlElement | None) -> bool:
    return element is not None and _seen(element, _SENTENCE).size < _EMPTY


def _refreshes(tree: HtmlElement) -> bool:
    refreshes = (element for element in tree.iter("meta") if element.get("http-equiv", "").lower() == "refresh")
    return any("url" in element.get("content", "").lower() for element in refreshes)


def _scripts(tree: HtmlElement) -> Iterator[str]:
    return (script.text[:100_000] for script in tree.iter("script") if script.text)


def _wall(tree: HtmlElement, title: str, seen: _Seen) -> str:
    for wall in _WALLS:
        if (wall.title and re.match(wall.title, title.lstrip(), re.IGNORECASE)) or (
            wall.path and _find(wall.path, tree)
        ):
            return f"The page is a check by {wall.name} that its visitor is no robot, not what was asked for."
    if seen.prose < _ENOUGH_PROSE and _DENIED.match(title or seen.text):
        return "The page says that access was denied; it is not what was asked for."
    return ""


def _missing(title: str, seen: _Seen) -> str:
    short = seen.prose < _ENOUGH_PROSE and _NOT_FOUND.search(title)
    return "The page says that what was asked for is not found." if short else ""


def _paid(tree: HtmlElement) -> str:
    if any(_NOT_FREE.search(text) for text in _scripts(tree)) or _find(_PAYWALL, tree):
        return "The page is not free to read: its text may be the beginning alone."
    return ""


def _login(tree: HtmlElement, seen: _Seen) -> str:
    wanted = seen.prose < _ENOUGH_PROSE and _find(_LOGIN, tree)
    return "The page asks to log in; it may not be what was asked for." if wanted else ""


def _framed(tree: HtmlElement, seen: _Seen) -> str:
    frames = _find(_FRAMES, tree) if seen.prose < _ENOUGH_PROSE and seen.size < _LITTLE_TEXT else []
    if any(not _NO_CONTENT.search(frame.get("src", "")[:500]) and _is_large(frame) for frame in frames):
        return "Text may be in frames, which were not read: turn on iframes to read it in a browser."
    return ""


def _is_large(frame: HtmlElement) -> bool:
    """Whether a frame is no invisible one of a tracker."""
    sides = (frame.get("width", ""), frame.get("height", ""))
    small = any(side.removesuffix("px").isdecimal() and int(side.removesuffix("px")[:6]) < 50 for side in sides)
    return not small and not _HIDDEN.search(frame.get("style", "")) and frame.get("hidden") is None


def _text(element: HtmlElement) -> str:
    return " ".join(element.text_content()[:20_000].split())


def _find(path: str, tree: HtmlElement) -> list[HtmlElement]:
    found: list[HtmlElement] = _compiled(path)(tree)[:_MOST_ELEMENTS]
    return found


@functools.cache
def _compiled(path: str) -> Any:  # noqa: ANN401 (an XPath; lxml is not imported with this module)
    from lxml.etree import XPath

    return XPath(path)
