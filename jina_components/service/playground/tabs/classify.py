"""Classify: by what labels mean, or by examples that a classifier learned from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from jina_components.service.playground.asking import Answer
from jina_components.service.playground.code import Asked
from jina_components.service.playground.drawing import bar, note, text
from jina_components.service.playground.page import Page, lines

_LABELS = {
    "Support": (
        "The parcel has not arrived yet.\nI was charged twice this month.\nThe app closes when I open the camera.",
        "delivery\npayment\nsoftware bug",
    ),
    "News": (
        "The striker scored twice in the final.\nThe central bank raised rates.\nA new vaccine was approved.",
        "sport\neconomy\nhealth",
    ),
}
_LEARNED = {
    "Tickets": (
        (
            "billing: My card was charged twice.\nbilling: Where is my invoice?\nbilling: Can I get a refund?\n"
            "technical: The app crashes at start.\ntechnical: I cannot log in.\ntechnical: The screen stays black."
        ),
        "Please send me the receipt.\nThe update will not install.",
    ),
    "Spam": (
        (
            "spam: You have won a prize, click here!\nspam: Cheap pills without prescription\n"
            "spam: Earn thousands from home today\nham: The meeting moves to Tuesday.\n"
            "ham: Please find the minutes attached.\nham: Lunch at noon?"
        ),
        "Claim your reward now!\nCan we talk on Thursday?",
    ),
}
# Texts whose labels are drawn, and labels of each.
_MOST_TEXTS = 50
_MOST_LABELS = 8


def add(page: Page) -> None:
    """Put the tab on the page."""
    with gr.Tabs(overflow_behavior="wrap"):
        with gr.Tab("By meaning", elem_classes="pg-product", elem_id="pg-classify-meaning"):
            _by_meaning(page)
        with gr.Tab("By examples", elem_classes="pg-product", elem_id="pg-classify-examples"):
            _by_examples(page)


def _by_meaning(page: Page) -> None:
    given, names = next(iter(_LABELS.values()))
    with gr.Row(elem_classes="pg-sides"):
        with gr.Column():
            texts = gr.Textbox(given, label="Texts, one a line", lines=4, max_lines=12)
            labels = gr.Textbox(names, label="Labels, one a line", lines=4, max_lines=12)
            page.examples((texts, labels), _LABELS)
            model = page.models(page.components.embedders, "Model")
            button = page.button("Classify")
        with gr.Column():
            drawn = gr.HTML(note("Classify the texts to see their labels.", "empty"))
    page.product(button, inputs=(texts, labels, model), asked=_asked, outputs=(drawn,), draw=_draw)


def _by_examples(page: Page) -> None:
    known, given = next(iter(_LEARNED.values()))
    with gr.Row(elem_classes="pg-sides"):
        with gr.Column():
            examples = gr.Textbox(known, label="Examples, each line LABEL: TEXT", lines=7, max_lines=14)
            chosen = gr.Column()  # what fills both sides stands below both boxes
            model = page.models(page.components.embedders, "Model")
            training = page.button("Train a classifier")
            learned = gr.HTML("")
            with gr.Column() as coded:
                pass
        with gr.Column():
            classifier = gr.Textbox("", label="Classifier", placeholder="its id; train one, or name one of before")
            texts = gr.Textbox(given, label="Texts, one a line", lines=3, max_lines=12)
            button = page.button("Classify with it")
            drawn = gr.HTML(note("Train a classifier, then classify texts with it.", "empty"))
            page.product(button, inputs=(texts, classifier), asked=_asked_by_id, outputs=(drawn,), draw=_draw)
    with chosen:
        page.examples((examples, texts), _LEARNED)
    with coded:
        page.product(
            training, inputs=(examples, model), asked=_training, outputs=(learned, classifier), draw=_draw_training
        )


def _asked(texts: str, labels: str, model: str) -> Asked:
    wanted = {"model": model, "input": lines(texts, "Write a text."), "labels": lines(labels, "Write some labels.")}
    return Asked("/v1/classify", wanted)


def _asked_by_id(texts: str, classifier: str) -> Asked:
    if not classifier.strip():
        raise ValueError("Train a classifier first, or write the id of one.")
    return Asked("/v1/classify", {"classifier_id": classifier.strip(), "input": lines(texts, "Write a text.")})


def _training(examples: str, model: str) -> Asked:
    pairs = [each.partition(":") for each in lines(examples, "Write some examples, each as LABEL: TEXT.")]
    if bad := next(("".join(pair) for pair in pairs if not pair[0].strip() or not pair[2].strip()), None):
        raise ValueError(f"Write each example as LABEL: TEXT, which this is not: {bad}")
    return Asked(
        "/v1/train",
        {
            "model": model,
            "access": "private",
            "input": [{"text": said.strip(), "label": label.strip()} for label, _, said in pairs],
        },
    )


def _draw_training(answer: Answer, *_: str) -> tuple[str, str]:
    learned, name = answer.content["num_samples"], answer.content["classifier_id"]
    return note(f"Learned {learned} examples. The classifier is {name}."), name


def _draw(answer: Answer, texts: str, *_: str) -> str:
    given, data = lines(texts, ""), answer.content["data"]
    items = "".join(_labelled(given[each["index"]], each) for each in data[:_MOST_TEXTS])
    return f'<ul class="pg-labelled" aria-label="Labels of the texts">{items}</ul>'


def _labelled(given: str, found: Mapping[str, Any]) -> str:
    best = sorted(found["predictions"], key=lambda each: -each["score"])[:_MOST_LABELS]
    rows = "".join(
        f"<li{' class=pg-best' if each['label'] == found['prediction'] else ''}>"
        f'<div class="pg-line"><span class="pg-text">{text(each["label"])}</span><b>{each["score"]:.1%}</b></div>'
        f"{bar(each['score'])}</li>"
        for each in best
    )
    return f'<li><p class="pg-text">{text(given)}</p><ul>{rows}</ul></li>'
