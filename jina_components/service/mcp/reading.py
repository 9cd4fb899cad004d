"""Tools that read pages."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from jina_components.reader import Reader
from jina_components.segmenter import Segmenter
from jina_components.service.mcp.arguments import CaptureScreenshot, GuessDatetime, OneRead, ParallelRead, ReadUrl
from jina_components.service.mcp.client import ToolError
from jina_components.service.mcp.results import Content, each, images, text
from jina_components.service.mcp.visit import Visit

_READ_SECONDS, _QUESTION_SECONDS = 30.0, 60.0
_CHUNK_WORDS = 100
_RANKED_TOGETHER = 1000
_WIDTH = 1024
# Words of scripts that have spaces between them, characters of those that have not.
_UNSPACED = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")

# How sure one can be of when a page was last changed: it says so itself, or it says only when it was published.
_CHANGED, _PUBLISHED = 80, 60


async def read_url(given: ReadUrl, visit: Visit) -> list[Content]:
    """Pages as Markdown, or the passages of them that answer a question."""
    urls = [given.url] if isinstance(given.url, str) else list(dict.fromkeys(given.url))
    reads = {
        url: OneRead(url=url, withAllLinks=bool(given.withAllLinks), withAllImages=bool(given.withAllImages))
        for url in urls
    }
    question = (given.question or "").strip()

    async def one(how: OneRead) -> dict[str, Any]:
        page = await _page(how, visit)
        if question:
            content = page.pop("content")
            passages = await _passages(content, question, given.chunk_size or _CHUNK_WORDS, given.topk or 1, visit)
            page |= {"question": question, "snippets": passages}
        return page

    if len(urls) == 1:
        return [text(await one(reads[urls[0]]))]
    return await each(reads, one, seconds=_QUESTION_SECONDS if question else _READ_SECONDS, done=visit.progress)


async def parallel_read_url(given: ParallelRead, visit: Visit) -> list[Content]:
    """Several pages as Markdown."""
    reads = {how.url: how for how in reversed(given.urls)}  # the first of each
    reads = {how.url: reads[how.url] for how in given.urls}
    return await each(reads, lambda how: _page(how, visit), seconds=given.timeout / 1000, done=visit.progress)


async def capture_screenshot_url(given: CaptureScreenshot, visit: Visit) -> list[Content]:
    """A page as a picture."""
    kind = "screenshot" if given.firstScreenOnly else "pageshot"
    url: str = (await _read(given.url, visit, {"x-respond-with": kind}))[f"{kind}Url"]
    if given.return_url:
        if url.startswith("data:"):
            raise ToolError("This service keeps no pictures, so they have no addresses: leave return_url out.")
        return [text(url)]
    height = _WIDTH if given.firstScreenOnly else None
    [picture] = await images([url], visit.fetcher(), width=_WIDTH, height=height)
    if isinstance(picture, Exception):
        raise ToolError(f"The picture cannot be shown: {picture}")
    return [picture]


async def guess_datetime_url(given: GuessDatetime, visit: Visit) -> list[Content]:
    """When a page says that it was changed, or else published; and how sure that is, from 0 to 100."""
    data = await _read(given.url, visit, {"x-respond-with": "html"})
    published = data.get("publishedTime", "")
    with Reader() as reader:
        page = await reader.aread(data["html"].encode(), content_type="text/html; charset=utf-8", base_url=data["url"])
    changed = page.metadata.get("modified_time", "")
    guess, confidence = (changed, _CHANGED) if changed else (published, _PUBLISHED if published else 0)
    return [text({"bestGuess": guess or None, "confidence": confidence})]


async def _read(url: str, visit: Visit, headers: dict[str, str]) -> dict[str, Any]:
    answer = await visit.api.post("/r/", {"url": url}, headers=headers)
    data: dict[str, Any] = answer["data"]
    return data


async def _page(how: OneRead, visit: Visit) -> dict[str, Any]:
    headers = {"x-md-link-style": "discarded"}
    headers |= {"x-with-links-summary": "all"} if how.withAllLinks else {}
    headers |= {"x-with-images-summary": "true"} if how.withAllImages else {"x-retain-images": "none"}
    data = await _read(how.url, visit, headers)
    page: dict[str, Any] = {"url": data["url"], "title": data["title"]}
    if "warning" in data:
        page["warning"] = data["warning"]
    if how.withAllLinks:
        page["links"] = [{"anchorText": name, "url": url} for name, url in data["links"]]
    if how.withAllImages:
        page["images"] = data["images"]
    return {**page, "content": data["content"]}


async def _passages(content: str, question: str, words: int, count: int, visit: Visit) -> list[str]:
    """The passages of a page that answer a question best, the best first."""
    length = words * len(content) // max(sum(1 for _ in _WORD.finditer(content)), 1)
    segmenter = Segmenter(max_chunk_length=max(length, 1))
    segmentation = await asyncio.to_thread(segmenter.segment, content)
    passages = [chunk.text.strip() for chunk in segmentation.chunks if not chunk.text.isspace()]
    model = await visit.model("reranker")
    scored: list[tuple[float, str]] = []
    for start in range(0, len(passages), _RANKED_TOGETHER):
        some = passages[start : start + _RANKED_TOGETHER]
        body = {"model": model, "query": question, "documents": some, "truncation": True, "return_documents": False}
        ranked = await visit.api.post("/v1/rerank", body)
        scored += [(hit["relevance_score"], some[hit["index"]]) for hit in ranked["results"]]
    scored.sort(key=lambda pair: pair[0], reverse=True)
    return [passage for _, passage in scored[:count]]
