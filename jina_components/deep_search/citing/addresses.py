"""Addresses in texts that a model wrote: URLs, hosts and e-mail addresses, however they are disguised.

What counts as an address is what readers, browsers, mail clients or chat programs make a link of (CommonMark 0.31 and
GFM autolinks; fuzzy links as linkify-it makes them), and what security people write so that none is made
(`hxxp://evil[.]com`). All of it in linear time: no pattern begins anew inside a run on which it has failed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise

from jina_components.core.quotable import Span

# Of these no file and no abbreviation is named.
_SURE_DOMAINS = frozenset(
    """
    com org net edu gov mil int biz xyz online site website shop store club space click link icu vip top cloud agency
    arpa onion museum travel jobs mobi asia news blog wiki media digital solutions services company рф укр бел срб қаз
    中国 中國 香港 台湾 台灣 新加坡 한국 भारत سعودية مصر امارات ایران
    """.split()  # noqa: SIM905 (so many are easier to read as text)
)
# Words of code and of prose too; all other codes of countries but those that files are named with.
_OTHER_DOMAINS = frozenset(
    """
    info name pro app dev page live life world today email chat games tech art bio zip mov
    ac ad ae af ag ai al am ao aq ar at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cd cf cg ch
    ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi
    gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr
    kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc me mg mh mk mm mn mo mp mq mr mt mu mv mw mx my mz na nc ne nf ng ni
    nl no np nr nu nz om pa pe pf pg ph pk pn pr pt pw qa re ro ru rw sa sb sc sd se sg si sk sl sm sn sr ss su sv sx sy
    sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw
    """.split()  # noqa: SIM905
)
# A sentence that begins right behind a host.
_RUN_ON = re.compile(r"(?:com|org|net)(?=[A-Z])")
# One character for one, so that places stay what they are.
_ALIKE = str.maketrans(
    dict.fromkeys("。．｡․﹒‧∙⋅·", ".") | dict.fromkeys("∕⁄⧸⟋／＼", "/") | dict.fromkeys("꞉ː∶：", ":")
)

_MARKUP = r"[*_~`\\]{0,6}"
_DOT = (
    rf"{_MARKUP}(?:\.|%2[eE]|[ \t]?[\[({{<][ \t]?(?:\.|(?i:dot|punkt|punto|point))[ \t]?[\])}}>][ \t]?"
    rf"|[ \t](?:dot|DOT)[ \t]){_MARKUP}"
)
_SPLIT = re.compile(_DOT)
# Scripts that part no words by spaces: a host may stand in the midst of their words.
_DENSE = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
_LABEL = rf"(?:(?:[^\W{_DENSE}]|-)++|[{_DENSE}]++)"
_RUN = re.compile(rf"(?:(?<![\w-])|(?<=[{_DENSE}])(?![{_DENSE}])){_LABEL}(?:{_DOT}{_LABEL})++")
_SLASHES = re.compile(rf"{_MARKUP}(?:[\[({{<]?:[\])}}>]?|%3[aA]){_MARKUP}(?:[/\\]|%2[fF]){{2}}")
_OPAQUE = re.compile(
    r"(?:h[tx*]{2}ps?|javascript|vbscript|(?<![a-z])(?:mailto|magnet|view-source|ftp|wss?))(?:\[?:\]?|%3a)(?=[^\s:])"
    r"|(?<![a-z])(?:data:(?=[\w.+-]{0,80}[/;,])|tel:(?=[+\d])|(?:sms|file|blob|intent):(?=[\w/\\+])"
    r"|about:(?=blank|config|srcdoc))",
    re.IGNORECASE,
)
_WWW = re.compile(rf"(?<![\w-])[wW]{{3}}\d?{_DOT}(?=\w)")
_AT = re.compile(r"[\w.+%-]{1,64}[ \t]?(?:@|[\[({<](?:@|at|AT)[\])}>])[ \t]?$")
# What an address goes on with, and what it may begin before the part that gives it away.
_REST = re.compile(r"[^\s<>\"“”„‟«»‹›「」『』【】（），。；、！？…`|]*+")
_BEFORE = re.compile(r"[A-Za-z0-9%:/\\@._~!$&+,;=?#\[\]({*-]")
_LONGEST_BEFORE = 80
_LONGEST_END = 2000
_GOES_ON = frozenset("/?#:%@\\")
_TRIMMED = ".,;:!?'\"*_~`)]}>([{<\\&"


def find_addresses(text: str, *, is_code: bool = False) -> list[Span]:
    """Where addresses stand in a text, in order; without the punctuation around them.

    Args:
        text: The text.
        is_code: Whether it is code, where `user.name` is no host.
    """
    view = _plain_form(text)
    found = sorted([*_by_scheme(view), *_hosts(view, text, is_code=is_code)])
    merged: list[Span] = []
    for span in found:
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return [trimmed for span in merged if (trimmed := _trim(text, span)).end > trimmed.start]


def ends_in_address(text: str) -> bool:
    """Whether what is put right behind a text would be taken for a part of an address."""
    last = text[-_LONGEST_END:].rsplit(None, 1)[-1:]
    return any(find_addresses(f"{word}[^1]") for word in last)


class KnownAddresses:
    """Addresses that stand in sources, word for word, and so may stand in an answer."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def add(self, *texts: str) -> None:
        """Take in the addresses of texts, and the hosts of those."""
        for text in texts:
            for start, end in find_addresses(text):
                self._known.update(_forms(text[start:end]))

    def unknown(self, text: str, *, is_code: bool = False) -> list[Span]:
        """The addresses of a text that are none of them."""
        return [
            span for span in find_addresses(text, is_code=is_code) if text[span.start : span.end] not in self._known
        ]


def _forms(address: str) -> Iterator[str]:
    yield address
    scheme, slashes, rest = address.partition("://")
    if slashes:
        host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
        yield from (rest, host, f"{scheme}://{host}", f"{scheme}://{host}/")
        if host.startswith("www."):
            yield host[4:]


def _plain_form(text: str) -> str:
    """The text with full-width and other strange forms of characters as plain ones, each in its place."""
    if text.isascii():
        return text
    table = {}
    for character in set(text):
        plain = character.translate(_ALIKE)
        plain = unicodedata.normalize("NFKC", plain) if plain > "\x7f" else plain
        if len(plain) == 1 and plain != character:
            table[ord(character)] = plain
    return text.translate(table)


def _by_scheme(view: str) -> Iterator[Span]:
    for pattern in (_SLASHES, _OPAQUE, _WWW):
        place = 0
        while match := pattern.search(view, place):
            place = match.end()
            if pattern is not _SLASHES or _is_scheme(view, match):
                place = _end(view, match.end())
                yield Span(_begin(view, match.start()), place)


def _is_scheme(view: str, match: re.Match[str]) -> bool:
    """Whether letters stand before `://`, and something behind it."""
    return match.start() > 0 and view[match.start() - 1].isalnum() and view[match.end() : match.end() + 1].strip() != ""


def _hosts(view: str, text: str, *, is_code: bool) -> Iterator[Span]:
    place = 0
    while run := _RUN.search(view, place):
        place = run.end()
        behind = view[run.end() : run.end() + 2]
        has_path = len(behind) == 2 and behind[0] in "/:?#" and behind[1].isalnum()
        mail = _AT.search(view, max(run.start() - _LONGEST_BEFORE, 0), run.start())
        if not _is_host(run[0], is_mail=mail is not None, has_path=has_path, is_code=is_code):
            continue
        if any(text[at] in "。｡·" and not text[at - 1].isascii() for at in range(run.start() + 1, run.end())):
            continue  # a full stop of Chinese, with a word behind
        place = _end(view, run.end()) if behind[:1] in _GOES_ON else run.end()
        start = _begin(view, run.start())
        yield Span(min(start, mail.start()) if mail else start, place)


def _is_host(run: str, *, is_mail: bool, has_path: bool, is_code: bool) -> bool:
    labels = _SPLIT.split(run)
    if all(label.isdigit() for label in labels):
        return len(labels) == 4 and (has_path or is_mail)
    last = labels[-1].strip("_-")
    if (is_mail or (has_path and not is_code)) and len(last) > 1 and last.isalpha():
        return True
    return any(
        _is_domain(label.strip("_-"), before.strip("_"), is_code=is_code and not has_path)
        for before, label in pairwise(labels)
    )


def _is_domain(label: str, before: str, *, is_code: bool) -> bool:
    low = "com" if _RUN_ON.match(label) else label.lower()
    if low in _SURE_DOMAINS or low.startswith("xn--"):
        return bool(before)
    if is_code or low not in _OTHER_DOMAINS:
        return False
    # "the end.It was", "e.g", "U.S", "3.in": no hosts.
    is_plain = label.islower() or (label.isupper() and before.isupper())
    return is_plain and len(before) > 1 and not before.isdigit()


def _begin(view: str, place: int) -> int:
    """Where an address begins of which the part from `place` on was found."""
    low = max(place - _LONGEST_BEFORE, 0)
    while place > low and _BEFORE.match(view, place - 1):
        place -= 1
    return place


def _end(view: str, place: int) -> int:
    match = _REST.match(view, place)
    return match.end() if match else place


def _trim(text: str, span: Span) -> Span:
    start, end = span
    while end > start and text[end - 1] in _TRIMMED:
        end -= 1
    while start < end and text[start] in _TRIMMED:
        start += 1
    return Span(start, end)


def cut_addresses(text: str, known: KnownAddresses, *, is_code: bool = False) -> str:
    """The text without the addresses that are not known, and without the brackets that held them."""
    for _ in range(_ROUNDS):
        spans = known.unknown(text, is_code=is_code)
        if not spans:
            return text
        text = _without(text, spans)
    return _ANY_DOT.sub(" ", text)  # what goes on making addresses of its parts is none of a reader's language


_ROUNDS = 3
_ANY_DOT = re.compile(r"(?<=\S)[.:@](?=\S)")
_PAIRS = {"(": ")", "[": "]", "<": ">", "{": "}", "（": "）", "【": "】", "`": "`"}


def _without(text: str, spans: Iterable[Span]) -> str:
    pieces: list[str] = []
    place = 0
    for start, end in spans:
        low, high = start, end
        while low > place and high < len(text) and _PAIRS.get(text[low - 1]) == text[high]:
            low, high = low - 1, high + 1
        if text[start:end].count("(") > text[start:end].count(")") and text[high : high + 1] == ")":
            high += 1
        before = text[place:low]
        # One space is enough where there were two, and none before a stop.
        if high >= len(text) or text[high] in " \t\n.,;:!?)":
            before = before.rstrip(" \t")
            if not before and pieces:
                pieces[-1] = pieces[-1].rstrip(" \t")
        pieces.append(before)
        place = high
    return "".join([*pieces, text[place:]])
