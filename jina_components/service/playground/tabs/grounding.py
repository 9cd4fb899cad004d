"""The tab of grounding: a verdict, how likely the statement is true, and the quotes for and against it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any

import gradio as gr

from jina_components.service.playground.asking import Event
from jina_components.service.playground.code import Asked
from jina_components.service.playground.drawing import counted, facts, folded, listed, note, source, text
from jina_components.service.playground.page import Page

_STAGES = {
    "claims": "What it claims", "queries": "What to search for", "search": "Searched", "read": "Read",
    "passages": "Passages that speak of it", "judge": "Judged",
}  # fmt: skip
# A sign for each, so that none is told by its colour alone.
_VERDICTS = {"supported": "✓ Supported", "refuted": "✗ Refuted", "not enough evidence": "? Not enough evidence"}
_APART = re.compile(r"[\s,]+")


def add(page: Page) -> None:
    """A statement and references; the verdict."""
    with gr.Row(elem_classes="pg-sides"):
        with gr.Column(min_width=280):
            statement = gr.Textbox(label="Statement", lines=2, value="Example domains may be used in documents.")
            references = gr.Textbox(
                "", label="References", lines=2, placeholder="https://example.com",
                info="URLs or hosts to take evidence from, one a line; none to search.",
            )  # fmt: skip
            deep = gr.Checkbox(label="Read twice as many pages")
            page.examples(
                (statement, references),
                {
                    "By a page": ("Example domains may be used in documents.", "https://example.com"),
                    "By what is found": ("Bread takes twelve hours of waiting.", ""),
                },
            )
            button = page.button("Check")
        with gr.Column(scale=2, min_width=320):
            verdict = gr.HTML(note("The verdict and its quotes are shown here.", "empty"))
    page.product(button, inputs=(statement, references, deep), asked=asked, outputs=(verdict,), follow=_follow)


def asked(statement: str, references: str, deep: bool) -> Asked:
    """The request."""
    if not statement.strip():
        raise ValueError("Write a statement.")
    named = [each for each in _APART.split(references) if each]
    body = {"statement": statement.strip(), "references": named, "deepdive": deep}
    return Asked("/g/", {name: value for name, value in body.items() if value}, streamed=True)


async def _follow(events: AsyncIterator[Event], *_: Any) -> AsyncGenerator[str, None]:  # noqa: ANN401 (of inputs)
    steps: list[Mapping[str, Any]] = []
    async for event in events:
        if event.name == "step":
            steps.append(event.data)
            yield draw_steps(steps)
        else:
            yield draw(event.data, steps)


def draw_steps(steps: Sequence[Mapping[str, Any]]) -> str:
    """What was done so far."""
    return listed(map(_step, steps), kind="ol", look="pg-steps")


def draw(found: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> str:
    """The verdict, why, and the quotes; behind them how it came about."""
    verdict, factuality = found["verdict"], min(max(float(found["factuality"]), 0.0), 1.0)
    warnings = "".join(note(line, "warning") for line in found.get("warning", "").splitlines())
    told = facts(counted(found["usage"]["tokens"], "token"))
    how = folded(f"How it was checked, in {counted(len(steps), 'step')}", draw_steps(steps))
    return (
        f'<h2 class="pg-verdict pg-{verdict.split()[0]}">{_VERDICTS[verdict]}</h2>{_bar(factuality)}'
        f'<p dir="auto">{text(found["reason"])}</p>{warnings}'
        f"{listed(map(_reference, found['references']), look='pg-quotes')}{told}{how}"
    )


def _bar(share: float) -> str:
    return (
        f'<div class="pg-meter" role="meter" aria-label="Factuality" aria-valuemin="0" aria-valuemax="1" '
        f'aria-valuenow="{share:.2f}"><span style="inline-size:{share:.0%}"></span></div>'
        f'<p class="pg-told"><span>Factuality {share:.2f}</span></p>'
    )


def _reference(reference: Mapping[str, Any]) -> str:
    sign, look = ("✓ Supports it", "pg-for") if reference["isSupportive"] else ("✗ Contradicts it", "pg-against")
    return (
        f'<figure class="{look}"><figcaption><b>{sign}</b> {source(reference["url"])}</figcaption>'
        f'<blockquote dir="auto"><mark>{text(reference["keyQuote"])}</mark></blockquote></figure>'
    )


def _step(step: Mapping[str, Any]) -> str:
    name = _STAGES.get(step["stage"], step["stage"])
    pages = folded(counted(len(step["urls"]), "page"), listed(map(source, step["urls"]))) if step["urls"] else ""
    return f'<b>{text(name)}</b> <span dir="auto">{text(step["text"])}</span>{pages}'
