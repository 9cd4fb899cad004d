"""Pages as clients see them: the data of JSON and events, and the text."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jina_components.segmenter import Segmenter
from jina_components.service.wire.reading import ReadRequest, WireFormat
from jina_components.types import Page

CHUNK_END = "\n\n\x1d"
"""Between the chunks of a text."""

_PICTURE_TOKENS = 765
# What running scripts or a model costs at least, and the most that a page costs.
_WORK_TOKENS = 4000
_MOST_TOKENS = 2_000_000
_PNG = "data:image/png;base64,"
# The key that holds what a page has in a format.
_KEYS: dict[WireFormat, str] = {
    "content": "content", "markdown": "content", "readerlm-v2": "content", "html": "html", "text": "text",
    "screenshot": "screenshotUrl", "pageshot": "pageshotUrl",
}  # fmt: skip
_NO_IMAGES = "This page does not seem to contain any images."
_NO_LINKS = "This page does not seem to contain any buttons/links."
# What stands for the text of a page that has no content.
_ALONE = ("pageshotUrl", "screenshotUrl", "html", "text")


def page_data(pages: Sequence[Page], asked: ReadRequest) -> dict[str, Any]:
    """The `data` of a page; what was not asked for is absent.

    A picture is a `data:` URI. `usage.tokens` is what it costs, as Jina has it: what is shown, counted with
    cl100k_base; a picture as 765; more where it took a model, scripts or a proxy of the client. This takes a while for
    long pages: call it in a thread.

    Args:
        pages: The page in each of the formats asked for, in their order.
        asked: What the client wants to see of it.
    """
    page = pages[0]
    data: dict[str, Any] = {"title": page.title, "description": page.description, "url": page.url}
    data |= {key: value for key, value in _facts(page) if value}
    for kind, each in zip(asked.formats, pages, strict=True):
        if kind in ("screenshot", "pageshot"):
            data[_KEYS[kind]] = _PNG + base64.b64encode(each.screenshot).decode()
        elif kind in _KEYS:
            data[_KEYS[kind]] = _written(each)
            if each.chunks:
                data["chunks"] = list(each.chunks)
    if asked.links != "none":
        data["links"] = _links(page, asked.links)
    if asked.images:
        data["images"] = _images(page)
    return {**data, "usage": {"tokens": _cost(asked, _tokens(data))}}


def page_text(data: dict[str, Any]) -> str | bytes:
    """The text form of what `page_data` gave: title, source and content, or what it has in place of a content.

    Bytes are a PNG. The lists of images and links follow a content.
    """
    if "content" not in data:
        alone: str = next((data[key] for key in _ALONE if key in data), data.get("publishedTime", ""))
        return base64.b64decode(alone.removeprefix(_PNG)) if alone.startswith(_PNG) else alone
    facts = "".join(f"{fact}\n\n" for fact in _told(data))
    content = content_text(data)
    return f"Title: {data['title']}\n\nURL Source: {data['url']}\n\n{facts}Markdown Content:\n{content}\n"


def content_text(data: Mapping[str, Any]) -> str:
    """The content as text: in its chunks, and the lists of images and links after it."""
    content = CHUNK_END.join(data["chunks"]) if "chunks" in data else data["content"]
    return "\n\n".join((content, *_summaries(data)))


def tokens_of(text: str) -> int:
    """Tokens of a text by cl100k_base."""
    return _counter().count(text)


@functools.cache
def _counter() -> Segmenter:
    return Segmenter(tokenizer="cl100k_base")


def _cost(asked: ReadRequest, tokens: int) -> int:
    how = asked.options
    steps: tuple[tuple[bool, int, int], ...] = (  # where it holds: at least so many, so many times
        (how.captions, _PICTURE_TOKENS, 1), (bool(how.scripts), _WORK_TOKENS, 1), (how.extracts, _WORK_TOKENS, 3),
        (bool(how.proxy), 0, 5),
    )  # fmt: skip
    for holds, least, times in steps:
        if holds:
            tokens = max(tokens, least) * times
    return min(tokens, _MOST_TOKENS)


def _tokens(data: dict[str, Any]) -> int:
    shown = data.get("content") or (data["description"] if not data.keys() & {"html", "text"} else "")
    texts = (shown, data.get("text", ""), data.get("html", ""))
    pictures = sum(key in data for key in ("screenshotUrl", "pageshotUrl"))
    return sum(tokens_of(text) for text in texts if text) + _PICTURE_TOKENS * pictures


def _written(page: Page) -> str:
    if page.extracted is None:
        return page.content
    return json.dumps(page.extracted, ensure_ascii=False).encode(errors="replace").decode()


def _facts(page: Page) -> Iterator[tuple[str, Any]]:
    """What a page says of itself, where it does."""
    yield "publishedTime", page.published_time
    yield "numPages", page.metadata.get("num_pages")
    yield "warning", "\n".join(page.warnings)
    yield (
        "metadata",
        page.metadata.get("meta") or {name: fact for name, fact in page.metadata.items() if isinstance(fact, str)},
    )
    yield "external", {relation: dict(found) for relation, found in page.external.items()}


def _links(page: Page, form: str) -> dict[str, str] | list[list[str]]:
    if form == "all":
        return [[text, url] for text, url in page.links]
    unique = {url: text for text, url in reversed(page.links)}  # the first text of each
    urls = list(dict.fromkeys(url for _, url in page.links))
    if form == "cited":
        return {str(number): url for number, url in enumerate(urls, 1)}
    return {unique[url] or url: url for url in urls}


def _images(page: Page) -> dict[str, str]:
    """URL of each image by its places among all and its first text: `Image 1,3: text`."""
    places: dict[str, list[str]] = {}
    texts: dict[str, str] = {}
    for number, (text, url) in enumerate(page.images, 1):
        places.setdefault(url, []).append(str(number))
        texts[url] = texts.get(url) or text
    return {f"Image {','.join(at)}{f': {texts[url]}' if texts[url] else ''}": url for url, at in places.items()}


def _told(data: dict[str, Any]) -> Iterator[str]:
    if published := data.get("publishedTime"):
        yield f"Published Time: {published}"
    if warning := data.get("warning"):
        yield "\n".join(f"Warning: {line}" for line in warning.splitlines())
    if pages := data.get("numPages"):
        yield f"Number of Pages: {pages}"


def _summaries(data: Mapping[str, Any]) -> Iterator[str]:
    if "images" in data:
        lines = [f"- ![{label}]({url})" for label, url in data["images"].items()]
        yield "\n".join(("Images:", *(lines or [_NO_IMAGES])))
    if "links" in data:
        pairs = data["links"] if isinstance(data["links"], list) else data["links"].items()
        lines = [f"- [{text}]({url})" for text, url in pairs]
        yield "\n".join(("Links/Buttons:", *(lines or [_NO_LINKS])))
