"""Images that load late, or only without scripts: the picture itself as `src`."""

from __future__ import annotations

import re
from itertools import chain, islice
from typing import TYPE_CHECKING

from jina_components.reader.markdown.dom import outermost, remove

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_LATE = (
    "data-src", "data-original", "data-lazy-src", "data-lazy", "data-original-src", "data-actualsrc",
    "data-hi-res-src", "data-full-src", "data-image", "data-img-url", "data-echo", "data-url", "data-defer-src",
)  # fmt: skip
_PIXEL = frozenset(("0", "1", "0px", "1px"))
_LATE_SETS = ("data-srcset", "data-lazy-srcset", "data-original-set", "srcset")
_PLACEHOLDER = re.compile(
    r"\A(?:data:|about:|blob:|#|\Z)|(?:^|[/_.-])(?:1x1|blank|clear|dummy|empty|gr[ae]y|lazy|lazyload|load|loader|loading|pixel"
    r"|place-?holder|spacer|spinner|trans|transparent)(?:[_.-][\w-]{0,20})?\.(?:gif|png|svg|jpe?g|webp)(?:[?#]|\Z)",
    re.IGNORECASE,
)
# A URL with a comma in it goes on; a comma at its end, or a descriptor, ends the candidate.
_CANDIDATE = re.compile(r"\s*+([^\s,]\S*+)(?:\s++([\d.]{1,12})([wx])[^,]*+)?")
# Sizes of one picture differ in their folders and queries. Medium's names are a digit, an asterisk and an identifier.
_NAME = re.compile(r"/(\d\*[^/?#]+|[^/?#]+\.(?:avif|gif|jpe?g|png|svg|webp))(?=[?#]|\Z)", re.IGNORECASE)
_IMAGE_DATA = 4096  # characters of a data URL that is a picture rather than what holds its place


def plain_images(tree: HtmlElement) -> None:
    """Give each `<img>` the `src` that a browser would show; unwrap images in `<noscript>`."""
    for picture in tree.iter("picture"):
        _plain_picture(picture)
    for image in tree.iter("img"):
        late = _late_source(image)
        if late:
            image.set("src", late)
    for noscript in outermost(tree.iter("noscript")):
        _unwrap(noscript)


def _late_source(image: HtmlElement) -> str:
    """What `image` shows once it is loaded, where `src` does not say."""
    for name in _LATE:
        value = (image.get(name) or "").strip()
        if value and "{" not in value and not value.startswith(("data:", "[")) and ("/" in value or "." in value):
            return value
    if not is_placeholder(image.get("src") or ""):
        return ""
    return next((url for name in _LATE_SETS if (url := best_of(image.get(name) or ""))), "")


def is_placeholder(source: str) -> bool:
    """Whether `source` only holds the place of an image."""
    source = source.strip()
    return bool(_PLACEHOLDER.search(source)) and not (source.startswith("data:") and len(source) > _IMAGE_DATA)


def is_lost(image: HtmlElement) -> bool:
    """Whether the source of `image` meant something only within the tab that showed the page."""
    return (image.get("src") or "").strip()[:5].lower() == "blob:"


def best_of(srcset: str) -> str:
    """The largest candidate of a `srcset`; the first of equals."""
    best, best_size = "", -1.0
    for url, number, _ in _CANDIDATE.findall(srcset):
        try:
            size = float(number or 1)
        except ValueError:
            continue  # "1.2.3w" is no candidate
        url = url.rstrip(",")
        if size > best_size and not url.startswith("data:") and "{" not in url:
            best, best_size = url, size
    return best


def _plain_picture(picture: HtmlElement) -> None:
    image = next(picture.iter("img"), None)
    if image is not None and not (is_placeholder(image.get("src") or "") and not _late_source(image)):
        return
    sets = (source.get(name) or "" for source in picture.iter("source") for name in _LATE_SETS)
    url = next((best for value in sets if (best := best_of(value))), "")
    if not url:
        return
    if image is None:
        image = picture.makeelement("img")
        picture.append(image)
    image.set("src", url)


def _unwrap(noscript: HtmlElement) -> None:
    """Let the only image of `noscript` stand for the one beside it, which a script would have loaded."""
    images = list(islice(noscript.iter("img"), 2))
    if len(images) != 1 or noscript.text_content().strip():
        return
    shown, before = images[0], noscript.getprevious()
    holder = None if is_pixel(shown) else _holder(shown, _only_image(before), _only_image(noscript.getnext()))
    if holder is None:
        noscript.tag = "span"
        return
    _complete(holder, shown)
    earlier = None if before is None else before.getprevious()
    thumbnail = _only_image(earlier)
    if thumbnail is not None and _is_same(thumbnail, shown) and _is_same(holder, shown):
        remove(earlier)
    remove(noscript)


def is_pixel(image: HtmlElement) -> bool:
    """Whether `image` counts visits rather than shows something."""
    return image.get("width") in _PIXEL and image.get("height") in _PIXEL


def _only_image(element: HtmlElement | None) -> HtmlElement | None:
    """The image that `element` is, or consists of."""
    if element is None or element.tag == "noscript":
        return None
    images = list(islice(element.iter("img"), 2))
    return images[0] if len(images) == 1 and not element.text_content().strip() else None


def _holder(shown: HtmlElement, before: HtmlElement | None, after: HtmlElement | None) -> HtmlElement | None:
    """Which neighbour the image of a `<noscript>` stands for: its own picture, else an empty one, else the first."""
    beside = [image for image in (before, after) if image is not None]
    same = (image for image in beside if _is_same(image, shown))
    empty = (image for image in beside if is_placeholder(image.get("src") or ""))
    return next(chain(same, empty), before)


def _is_same(image: HtmlElement, other: HtmlElement) -> bool:
    """Whether both show one picture, of whatever size."""
    url, wanted = (image.get("src") or "").strip(), (other.get("src") or "").strip()
    if url == wanted:
        return True
    name, wanted_name = _NAME.search(url), _NAME.search(wanted)
    if name and wanted_name and name[1] == wanted_name[1]:
        return True
    return url in _candidates(other) or wanted in _candidates(image)


def _candidates(image: HtmlElement) -> list[str]:
    return [found[0].rstrip(",") for name in _LATE_SETS for found in _CANDIDATE.findall(image.get(name) or "")]


def _complete(holder: HtmlElement, shown: HtmlElement) -> None:
    """Give `holder`, where it is empty or a preview, what `shown` has."""
    source = (holder.get("src") or "").strip()
    is_whole = bool(_late_source(holder)) or source in _candidates(holder)
    if not is_placeholder(source) and (is_whole or not _is_same(holder, shown)):
        return
    for name in ("src", "alt", "title"):
        if (value := shown.get(name)) and not (name == "alt" and holder.get("alt")):
            holder.set(name, value)
