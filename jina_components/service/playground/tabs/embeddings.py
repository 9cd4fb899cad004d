"""Embeddings: how alike texts are, as a heat map, and the first numbers of their vectors."""

from __future__ import annotations

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from jina_components.service.playground.asking import Answer
from jina_components.service.playground.code import Asked
from jina_components.service.playground.drawing import folded, note, table
from jina_components.service.playground.page import Page, lines

_TASKS = ("retrieval.query", "retrieval.passage", "text-matching", "classification", "separation")
_EXAMPLES = {
    "Two subjects": (
        "The cat sleeps on the sofa.\nA kitten naps on the couch.\nShares fell on Monday.\nThe stock market lost value."
    ),
    "A question": (
        "How do plants make sugar?\nLeaves turn light, water and carbon dioxide into glucose.\n"
        "Sugar beets are harvested in autumn.\nThe factory makes paper."
    ),
}
# Rows of vectors that are drawn, and how many of their numbers.
_MOST = 24
_FIRST = 8


def add(page: Page) -> None:
    """Put the tab on the page."""
    first = next(iter(_EXAMPLES.values()))
    with gr.Row(elem_classes="pg-sides"):
        with gr.Column():
            texts = gr.Textbox(first, label="Texts, one a line", lines=6, max_lines=14)
            page.examples((texts,), {title: (given,) for title, given in _EXAMPLES.items()})
            with gr.Row():
                model = page.models(page.components.embedders, "Model")
                task = gr.Dropdown([("any", ""), *_TASKS], value="", label="Task")
                dimensions = gr.Textbox("", label="Dimensions", placeholder="all", min_width=100)
            button = page.button("Embed")
        with gr.Column():
            drawn = gr.HTML(note("Embed some texts to see how alike they are.", "empty"))
    page.product(button, inputs=(texts, model, task, dimensions), asked=_asked, outputs=(drawn,), draw=_draw)


def _asked(texts: str, model: str, task: str, dimensions: str) -> Asked:
    body: dict[str, object] = {"model": model, "input": lines(texts, "Write a text.")}
    if task:
        body["task"] = task
    if dimensions.strip():
        if not dimensions.strip().isdecimal():
            raise ValueError("Dimensions are a whole number, or empty for all of them.")
        body["dimensions"] = int(dimensions)
    return Asked("/v1/embeddings", body)


def _draw(answer: Answer, texts: str, *_: str) -> str:
    vectors = np.array([each["embedding"] for each in answer.content["data"]], dtype=np.float32)
    told = f"{len(vectors)} vectors of {vectors.shape[1]} dimensions"
    shown = lines(texts, "")[:_MOST]
    if len(vectors) > _MOST:
        told += f", the first {_MOST} of which are drawn"
    vectors = vectors[:_MOST]
    return f"<p>{told}.</p>{_heat_map(shown, vectors)}{_numbers(shown, vectors)}"


def _heat_map(texts: list[str], vectors: NDArray[np.float32]) -> str:
    """Cosines of all pairs: the nearer to 1, the stronger the colour."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cosines = unit @ unit.T
    numbers = [str(number) for number in range(1, len(texts) + 1)]
    rows = [
        [f"{number}. {each}", *(f"{value:.2f}" for value in row)]
        for number, each, row in zip(numbers, texts, cosines, strict=True)
    ]
    heat = np.maximum(cosines, 0) ** 2
    return table("Cosine of each two texts", ["Text", *numbers], rows, kind="pg-heat", heat=heat.tolist())


def _numbers(texts: list[str], vectors: NDArray[np.float32]) -> str:
    heads = ["Text", *map(str, range(1, min(_FIRST, vectors.shape[1]) + 1))]
    rows = [
        [f"{number}. {each}", *(f"{value:+.3f}" for value in row)]
        for number, (each, row) in enumerate(zip(texts, vectors[:, :_FIRST], strict=True), 1)
    ]
    made = table(f"First {len(heads) - 1} of {vectors.shape[1]} dimensions", heads, rows, kind="pg-numbers")
    return folded("The vectors", made)
