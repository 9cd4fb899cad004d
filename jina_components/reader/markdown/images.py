"""Images that load late, or only without scripts: the picture itself as `src`."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from jina_components.reader.markdown.dom import outermost, remove

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_LATE = (
    "data-src", "data-original", "data-lazy-src", "data-lazy", "data-original-src", "data-actualsrc",
    "data-hi-res-src", "data-full-src", "data-image", "data-img-url", "data-echo", "data-url", "data-defer-src",
)  # fmt: skip
_LATE_SETS = ("data-srcset", "data-lazy-srcset", "data-original-set", "srcset")
_PLACEHOLDER = re.compile(
    r"\A(?:data:|about:|#|\Z)|(?:^|[/_.-])(?:1x1|blank|clear|dummy|empty|gr[ae]y|lazy|lazyload|load|loader|loading|pixel"
    r"|place-?holder|spacer|spinner|trans|transparent)(?:[_.-][\w-]{0,20})?\.(?:gif|png|svg|jpe?g|webp)(?:[?#]|\Z)",
    re.IGNORECASE,
)
# A URL with a comma in it goes on; a comma at its end, or a descriptor, ends the candidate.
_CANDIDATE = re.compile(r"\s*+([^\s,]\S*+)(?:\s++([\d.]{1,12})([wx])[^,]*+)?")
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
    """Let the only image of `noscript` stand for the one right before it, which a script would have loaded."""
    images = list(islice(noscript.iter("img"), 2))
    if len(images) != 1 or noscript.text_content().strip():
        return
    before = noscript.getprevious()
    holders = [] if before is None else list(islice(before.iter("img"), 2))
    if before is not None and len(holders) == 1 and not before.text_content().strip():
        if is_placeholder(holders[0].get("src") or ""):
            for name in ("src", "alt", "title"):
                if (value := images[0].get(name)) and not (name == "alt" and holders[0].get("alt")):
                    holders[0].set(name, value)
        remove(noscript)
    else:
        noscript.tag = "span"
