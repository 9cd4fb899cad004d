"""Rerank: documents in the order of their relevance, with what changed."""

from __future__ import annotations

import gradio as gr

from jina_components.service.playground.asking import Answer
from jina_components.service.playground.code import Asked
from jina_components.service.playground.drawing import bar, note, text
from jina_components.service.playground.page import Page, lines

_EXAMPLES = {
    "Planets": (
        "Which planet has the most moons?",
        (
            "Jupiter is the largest planet of the solar system.\nMars has two small moons, Phobos and Deimos.\n"
            "With more than a hundred known moons, Saturn has the most of all planets.\nThe Moon causes the tides."
        ),
    ),
    "Returns": (
        "Can I send shoes back?",
        (
            "Our shops open at nine.\nWorn clothes cannot be exchanged.\n"
            "Footwear may be returned within 30 days if it was not worn outside.\nShipping is free from 50 euros."
        ),
    ),
}


def add(page: Page) -> None:
    """Put the tab on the page."""
    question, given = next(iter(_EXAMPLES.values()))
    with gr.Row(elem_classes="pg-sides"):
        with gr.Column():
            query = gr.Textbox(question, label="Query", lines=1)
            documents = gr.Textbox(given, label="Documents, one a line", lines=6, max_lines=14)
            page.examples((query, documents), _EXAMPLES)
            with gr.Row():
                model = page.models(page.components.rerankers, "Model")
                top = gr.Textbox("", label="Best so many", placeholder="all", min_width=100)
            button = page.button("Rerank")
        with gr.Column():
            drawn = gr.HTML(note("Rerank the documents to see which answer the query.", "empty"))
    page.product(button, inputs=(query, documents, model, top), asked=_asked, outputs=(drawn,), draw=_draw)


def _asked(query: str, documents: str, model: str, top: str) -> Asked:
    if not query.strip():
        raise ValueError("Write a query.")
    body: dict[str, object] = {
        "model": model,
        "query": query.strip(),
        "documents": lines(documents, "Write a document."),
    }
    if top.strip():
        if not top.strip().isdecimal():
            raise ValueError("How many of the best are wanted is a whole number, or empty for all of them.")
        body["top_n"] = int(top)
    return Asked("/v1/rerank", body)


def _draw(answer: Answer, _: str, documents: str, *__: str) -> str:
    given, results = lines(documents, ""), answer.content["results"]
    scores = [each["relevance_score"] for each in results]
    # Scores of some models are no probabilities: bars run from the lowest of these to the highest.
    low, high = min(0.0, *scores, 0.0), max(1e-9, *scores, 1e-9)
    items = "".join(
        f"<li>{bar((score - low) / (high - low))}"
        f'<div class="pg-line"><span class="pg-text">{text(given[each["index"]])}</span>'
        f"<span>{_change(each['index'] + 1, rank)} <b>{score:.4f}</b></span></div></li>"
        for rank, (each, score) in enumerate(zip(results, scores, strict=True), 1)
    )
    return f'<ol class="pg-ranked" aria-label="Documents by relevance">{items}</ol>'


def _change(before: int, now: int) -> str:
    """From where a document came."""
    if before == now:
        return f'<span class="pg-change" title="stayed at rank {now}">=</span>'
    arrow, way = ("▲", "up") if now < before else ("▼", "down")
    return f'<span class="pg-change pg-{way}" title="{way} from rank {before}">{arrow} {abs(before - now)}</span>'
