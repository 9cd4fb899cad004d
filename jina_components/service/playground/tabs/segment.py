"""Segment: the chunks of a text in alternating colours, with where they stand and how many tokens they have."""

from __future__ import annotations

from typing import Any

import gradio as gr

from jina_components.service.playground.asking import Answer
from jina_components.service.playground.code import Asked
from jina_components.service.playground.drawing import note, text
from jina_components.service.playground.page import Page

_TOKENIZERS = ("cl100k_base", "o200k_base", "p50k_base", "r50k_base", "gpt2")
_EXAMPLES = {
    "Prose": (
        (
            "Tea is grown on hills, where nights are cool. The youngest leaves are picked by hand.\n\n"
            "Green tea is heated soon after the harvest, so that it keeps its colour. Black tea is left to oxidise "
            "first; that takes a few hours.\n\nBoth come from the same plant, Camellia sinensis."
        ),
        120,
    ),
    "Markdown": (
        (
            "# Setting up\n\nInstall the package, then start the service.\n\n## Models\n\n- a small one comes along\n"
            "- larger ones are fetched\n\n```python\nmodel = load()\nprint(model.embed('hello'))\n```\n\n"
            "## Limits\n\nA request takes up to 512 texts."
        ),
        80,
    ),
    "Many scripts": (
        (
            "Der Zug fährt um zwölf. Le train part à midi. 電車は正午に出発します。列車は混んでいます。"
            "Поезд уходит в полдень. 🚆 "
            "القطار يغادر ظهرا."
        ),
        40,
    ),
}
# Chunks that are drawn.
_MOST = 200


def add(page: Page) -> None:
    """Put the tab on the page."""
    given, length = next(iter(_EXAMPLES.values()))
    with gr.Row(elem_classes="pg-sides"):
        with gr.Column():
            content = gr.Textbox(given, label="Text", lines=9, max_lines=18)
            with gr.Row():
                longest = gr.Slider(10, 2000, value=length, step=10, label="Longest chunk, in characters")
                tokenizer = gr.Dropdown(list(_TOKENIZERS), value=_TOKENIZERS[0], label="Tokenizer")
            tokens = gr.Checkbox(value=False, label="Show tokens")
            page.examples((content, longest), _EXAMPLES)
            button = page.button("Segment")
        with gr.Column():
            drawn = gr.HTML(note("Segment the text to see its chunks.", "empty"))
    page.product(button, inputs=(content, longest, tokenizer, tokens), asked=_asked, outputs=(drawn,), draw=_draw)


def _asked(content: str, longest: float, tokenizer: str, tokens: bool) -> Asked:  # noqa: ARG001 (it is only drawn)
    if not content:
        raise ValueError("Write a text.")
    return Asked(
        "/v1/segment",
        {
            "content": content,
            "tokenizer": tokenizer,
            "max_chunk_length": int(longest),
            "return_chunks": True,
            "return_tokens": True,
        },
    )


def _draw(answer: Answer, _: str, __: float, ___: str, shows_tokens: bool) -> str:
    found = answer.content
    chunks = list(zip(found["chunks"], found["chunk_positions"], found["tokens"], strict=True))
    told = f"{found['num_chunks']} chunks, {found['num_tokens']} tokens"
    if len(chunks) > _MOST:
        told += f"; the first {_MOST} are drawn"
    drawn = "".join(
        f'<li class="pg-chunk"><div class="pg-where">{start}–{end} · {_count(tokens)} tokens</div>'
        f'<div class="pg-body">{_pieces(tokens) if shows_tokens else text(chunk)}</div></li>'
        for chunk, (start, end), tokens in chunks[:_MOST]
    )
    return f'<p>{told}.</p><ol class="pg-chunks" aria-label="Chunks">{drawn}</ol>'


def _count(tokens: list[Any]) -> int:
    return sum(len(ids) for _, ids in tokens)


def _pieces(tokens: list[Any]) -> str:
    return "".join(f'<span class="pg-token" title="{text(ids)}">{text(piece)}</span>' for piece, ids in tokens)
