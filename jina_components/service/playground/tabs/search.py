"""The tab of searches: results as cards, which fill while their pages are read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any

import gradio as gr

from jina_components.service.playground.asking import Event, Refused
from jina_components.service.playground.code import Asked
from jina_components.service.playground.drawing import counted, facts, folded, host, listed, note, text, web_link
from jina_components.service.playground.markdown import drawn
from jina_components.service.playground.page import Page
from jina_components.types import shorten

_READ_BEFORE = "This service asks nobody else: it finds pages that were read here before. Read one in the Reader first."
_DESCRIBED = 300  # characters
_NOTHING = 422


def add(page: Page) -> None:
    """A query and whom to ask; the results as cards."""
    known: list[str | tuple[str, str]] = [
        ("Whoever is here", ""),
        ("Pages read here before", "reader"),
        *page.components.searches,
    ]
    with gr.Row(elem_classes="pg-sides"):
        with gr.Column(min_width=280):
            query = gr.Textbox(label="Query", value="example domain", max_lines=1)
            count = gr.Slider(1, 20, value=5, step=1, label="Results")
            provider = gr.Dropdown(known, value="", label="Whom to ask")
            bare = gr.Checkbox(label="Only titles and descriptions", info="No page is read, which is fast.")
            page.examples((query,), {"A domain": ("example domain",), "A recipe": ("how long does bread rest",)})
            button = page.button("Search")
        with gr.Column(scale=2, min_width=320):
            results = gr.HTML(note("Results are shown here.", "empty"))

    async def follow(events: AsyncIterator[Event], *_: Any) -> AsyncGenerator[str, None]:  # noqa: ANN401 (of inputs)
        contents: dict[str, str] = {}
        try:
            async for event in events:
                yield await asyncio.to_thread(draw, event.data, contents)
        except Refused as refused:
            if refused.status != _NOTHING:
                raise
            yield note(refused.message, "empty") + ("" if page.components.searches_web else note(_READ_BEFORE))

    page.product(button, inputs=(query, count, provider, bare), asked=asked, outputs=(results,), follow=follow)


def asked(query: str, count: int, provider: str, bare: bool) -> Asked:
    """The request."""
    if not query.strip():
        raise ValueError("Write what to search for.")
    body = {"q": query.strip(), "count": int(count)} | ({"provider": provider} if provider else {})
    return Asked("/s/search", body, headers={"X-Respond-With": "no-content"} if bare else {}, streamed=True)


def draw(items: Sequence[Mapping[str, Any]], contents: dict[str, str]) -> str:
    """Results in their order, and what they cost.

    Args:
        items: The results.
        contents: By URL, those drawn before; new ones are added.
    """
    contents |= {
        item["url"]: drawn(item["content"]) for item in items if item.get("content") and item["url"] not in contents
    }
    tokens = sum(item["usage"]["tokens"] for item in items)
    told = facts(counted(len(items), "result"), counted(tokens, "token"))
    return told + listed((_card(item, contents) for item in items), kind="ol", look="pg-results")


def _card(item: Mapping[str, Any], contents: Mapping[str, str]) -> str:
    url, content = item["url"], item.get("content", "")
    title = f'<h3 class="pg-name" dir="auto">{web_link(url, item["title"] or url)}</h3>'
    where = facts(f"<bdi>{text(host(url))}</bdi>", text(item.get("date") or item.get("publishedTime") or ""))
    said = f'<p dir="auto">{text(shorten(item.get("description", ""), _DESCRIBED))}</p>'
    read = folded(f"Content, {counted(len(content), 'character')}", contents[url]) if content else ""
    return f"{title}{where}{said}{read}{note(item['warning'], 'warning') if item.get('warning') else ''}"
