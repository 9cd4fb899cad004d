"""Pages as servers answer them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from jina_components.errors import HTTPStatusError
from jina_components.read_options import ReadOptions
from jina_components.remote.fields import Fields
from jina_components.remote.unmarked import unmarked
from jina_components.types import Page, Usage

PICTURES = ("screenshotUrl", "pageshotUrl")
_DATA = re.compile(r"data:image/[\w.+-]+;base64,", re.IGNORECASE)
_PLACES = re.compile(r"Image (\d+(?:,\d+)*)(?:: (.*))?", re.DOTALL)
# How servers tell that a page was read although its own server had answered with an error.
_STATUS = re.compile(r"(?:answered with status|returned error) (\d{3})")
_KEYS = {"html": "html", "text": "text"}
_NO_IMAGES = "This page does not seem to contain any images."
_NO_LINKS = "This page does not seem to contain any buttons/links."


def page_of(data: Fields, options: ReadOptions, *, of_jina: bool) -> Page:
    """The page that an object of the wire is, without the picture that it has behind a URL.

    Args:
        data: The object.
        options: How it was asked for.
        of_jina: Whether it comes from Jina's own servers.

    Raises:
        HTTPStatusError: the page's own server answered with an error status, and `accept_errors` is not set.
        WebError: it is out of form.
    """
    key = _KEYS.get(options.format, "content")
    if key not in data:
        raise data.wrong(key, "a text")
    content, url = data.text(key), data.text("url")
    warnings = tuple(data.text("warning").splitlines())
    _check_status(url, warnings, options)
    links, images = _links(data), _images(data)
    extracted = _extracted(content) if options.extracts else None
    if key == "content" and extracted is None:
        if of_jina:
            content = unmarked(content, options.style)
        content = "\n\n".join([content, *_summaries(links, images, options)])
    meta = {name: value for name, value in data.fields("metadata").mapping().items() if isinstance(name, str)}
    pages = data.count("numPages")
    return Page(
        url=url,
        title=data.text("title"),
        content=content,
        description=data.text("description"),
        published_time=data.text("publishedTime"),
        language=meta["lang"] if isinstance(meta.get("lang"), str) else "",
        links=links,
        images=images,
        metadata={**meta, "num_pages": pages} if pages else {"meta": meta} if meta else {},
        external=_external(data.fields("external")),
        chunks=data.texts("chunks"),
        extracted=extracted,
        usage=Usage(completion_tokens=data.fields("usage").count("tokens")),
        warnings=warnings,
    )


def picture_of(data: Fields) -> bytes | str:
    """The picture of a page, or the URL that it has; empty where there is none.

    Raises:
        WebError: it is no base64.
    """
    key = next((name for name in PICTURES if name in data), "")
    url = data.text(key)
    head = _DATA.match(url)
    if head is None:
        return url
    try:
        return base64.b64decode(url[head.end() :], validate=True)
    except ValueError as error:
        raise data.wrong(key, "a URL") from error


def _check_status(url: str, warnings: tuple[str, ...], options: ReadOptions) -> None:
    found = next(filter(None, map(_STATUS.search, warnings)), None)
    if found and not options.accept_errors:
        status = int(found[1])
        raise HTTPStatusError(
            f"{url} answered with status {status}; check the URL and who may read it, or read it all the same with "
            "accept_errors.",
            url,
            status,
        )


def _extracted(content: str) -> Any:  # noqa: ANN401 (JSON values)
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content


def _links(data: Fields) -> tuple[tuple[str, str], ...]:
    """Pairs as lists; of an object, the URLs by their texts, or by the numbers that stand for them in the content."""
    given = data.value("links")
    pairs = list(given.items()) if isinstance(given, Mapping) else data.items("links")
    numbered = isinstance(given, Mapping) and all(str(name).isdigit() for name in given)
    found = []
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(each, str) for each in pair):
            raise data.wrong("links", "pairs of a text and a URL")
        found.append(("" if numbered else pair[0], pair[1]))
    return tuple(found)


def _images(data: Fields) -> tuple[tuple[str, str], ...]:
    """In the order of the page, from URLs by labels such as `Image 1,3: text`; hidden ones come last."""
    found: list[tuple[float, str, str]] = []
    for label, url in data.fields("images").mapping().items():
        if not isinstance(label, str) or not isinstance(url, str):
            raise data.wrong("images", "URLs by their labels")
        place = _PLACES.fullmatch(label)
        if place is None:
            found.append((float("inf"), label, url))
        else:
            found += [(float(number), place[2] or "", url) for number in place[1].split(",")]
    return tuple((text, url) for _, text, url in sorted(found, key=lambda each: each[0]))


def _external(given: Fields) -> dict[str, dict[str, dict[str, str]]]:
    return {
        relation: {
            url: {name: str(value) for name, value in given.fields(relation).fields(url).mapping().items()}
            for url in given.fields(relation).mapping()
        }
        for relation in given.mapping()
    }


def _summaries(
    links: tuple[tuple[str, str], ...], images: tuple[tuple[str, str], ...], options: ReadOptions
) -> Iterator[str]:
    """Lists of links and images, as the text form of the wire has them."""
    if options.images_summary:
        first = {url: (number, text) for number, (text, url) in reversed(list(enumerate(images, 1)))}
        lines = [
            f"- ![{first[url][1] or f'Image {first[url][0]}'}]({url})" for url in dict.fromkeys(u for _, u in images)
        ]
        yield "\n".join(("Images:", *(lines or [_NO_IMAGES])))
    if options.links_summary != "none":
        texts = {url: text for text, url in reversed(links)}
        chosen = (
            links
            if options.links_summary == "all"
            else [(texts[url], url) for url in dict.fromkeys(u for _, u in links)]
        )
        lines = [f"- [{text or url}]({url})" for text, url in chosen]
        yield "\n".join(("Links/Buttons:", *(lines or [_NO_LINKS])))
