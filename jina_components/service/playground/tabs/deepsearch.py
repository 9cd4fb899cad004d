"""The tab of deep search: a conversation whose thoughts come as they are had, and whose answers name their sources."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from time import perf_counter
from typing import Any

import gradio as gr

from jina_components.service.playground.asking import Event, Refused
from jina_components.service.playground.code import Asked
from jina_components.service.playground.conversation import Turn, kept, messages, read, said
from jina_components.service.playground.page import Page
from jina_components.service.wire.deepsearch import MODELS
from jina_components.types.markdown_html import printable

_SHOWN_EVERY = 0.2  # seconds, of what comes in pieces
_HIDDEN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
# Gradio names each message by its content, which is HTML here: "bot's message" will do.
_NAMES = """() => setTimeout(() => {
  for (const each of document.querySelectorAll(".pg-chat [aria-label*='<div']"))
    each.setAttribute("aria-label", each.ariaLabel.split(":")[0]);
}, 100)"""
_ASK_WEB = "Ask a question: it is searched for, read about, and answered with quotes."
_ASK_PAGES = (
    "Ask a question: it is answered with quotes from pages that were read here before. Read some in the Reader first."
)


def add(page: Page) -> None:
    """The conversation, the next question, and how hard to try."""
    turns = gr.Textbox("", visible="hidden")  # in the page: the service keeps nothing of a conversation
    chat = gr.Chatbot(
        label="Conversation", height=480, latex_delimiters=[], line_breaks=False, allow_tags=False, buttons=[],
        placeholder=_ASK_WEB if page.components.searches_web else _ASK_PAGES, elem_classes="pg-chat",
    )  # fmt: skip
    question = gr.Textbox(label="Question", value="What may example domains be used for?", max_lines=6)
    with gr.Row(elem_classes="pg-options"):
        effort = gr.Radio(["low", "medium", "high"], value="low", label="Reasoning effort", min_width=240)
        provider = gr.Dropdown(
            [("Whoever is here", ""), *page.components.searches], value="", label="Whom to ask", min_width=160
        )
    with gr.Row(elem_classes="pg-examples"):
        new = gr.Button("New conversation", size="sm", min_width=40)
    button = page.button("Ask")
    asking = page.product(
        button, inputs=(question, effort, provider, turns), asked=asked, outputs=(chat, turns, question),
        follow=_follow, keeps=True,
    )  # fmt: skip
    button.stop.click(_stop, inputs=[turns], outputs=[chat, turns], **_HIDDEN)
    gr.on((new.click, chat.clear), _forget, outputs=[chat, turns, *button.telling], cancels=[asking], **_HIDDEN)
    chat.change(None, js=_NAMES, **_HIDDEN)


async def _follow(events: AsyncIterator[Event], *values: str) -> AsyncGenerator[tuple[Any, ...], None]:
    before, question = _next(*values)
    turn = Turn(printable(question))
    now, drawn = [*before, turn], await asyncio.to_thread(messages, before)
    yield [*drawn, *messages([turn])], kept(now), ""
    began = shown = perf_counter()
    try:
        async for event in events:
            is_whole = turn.take(event.data)
            turn.seconds = perf_counter() - began
            if is_whole or perf_counter() - shown > _SHOWN_EVERY:
                shown = perf_counter()
                yield [*drawn, *messages([turn])], kept(now), gr.skip()
    except Refused as refused:
        turn.fail(str(refused))
    yield [*drawn, *await asyncio.to_thread(messages, [turn])], kept(now), gr.skip()
    if turn.state == "failed":
        raise Refused(0, turn.answer, "")


def asked(*values: str) -> Asked:
    """The request with the next question."""
    before, question = _next(*values)
    _, effort, provider, _ = values
    body: dict[str, Any] = {
        "model": MODELS[0],
        "messages": [*said(before), {"role": "user", "content": question}],
        "stream": True,
        "reasoning_effort": effort,
    }
    return Asked("/v1/chat/completions", body | ({"search_provider": provider} if provider else {}), streamed=True)


def _next(question: str, _: str, __: str, turns: str) -> tuple[list[Turn], str]:
    """What was said before, and the next question: the last one again where there is none.

    Raises:
        ValueError: there is none at all.
    """
    before = read(turns)
    if not question.strip() and before:
        question = before.pop().question
    if not question.strip():
        raise ValueError("Write a question.")
    return before, question.strip()


async def _stop(turns: str) -> tuple[Any, ...]:
    now = read(turns)
    for turn in now:
        turn.stop()
    return await asyncio.to_thread(messages, now), kept(now)


async def _forget() -> tuple[Any, ...]:
    return [], "", "", gr.Button(interactive=False)
