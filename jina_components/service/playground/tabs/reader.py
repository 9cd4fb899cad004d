"""The Reader's tab: a page drawn beside its Markdown, HTML or text, or as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from jina_components.service.playground.asking import Answer
from jina_components.service.playground.code import Asked
from jina_components.service.playground.drawing import counted, facts, folded, listed, note, source, text, web_link
from jina_components.service.playground.markdown import drawn
from jina_components.service.playground.page import Page

_FORMATS = (
    ("Main content", "content"), ("Whole page", "markdown"), ("HTML", "html"), ("Text", "text"),
    ("Screenshot", "screenshot"), ("Whole screenshot", "pageshot"),
)  # fmt: skip
_ENGINES = (("Whichever it takes", "auto"), ("Fetch only", "direct"), ("Browser", "browser"))
_PNG = "data:image/png;base64,"
_SHOWN = 500  # links or images
_RECIPE = """\
<html><head><title>Bread of one night</title></head><body>
<nav><a href="/">Home</a> <a href="/all">All recipes</a></nav>
<article><h1>Bread of one night</h1>
<p>Four things, no kneading, and <strong>twelve hours</strong> of waiting. The crumb is open, the crust is dark.</p>
<h2>What goes in</h2>
<table><tr><th>What</th><th>How much</th></tr><tr><td>Flour</td><td>500 g</td></tr><tr><td>Water</td><td>375 g</td></tr>
<tr><td>Salt</td><td>10 g</td></tr><tr><td>Yeast</td><td>1 g</td></tr></table>
<h2>What to do</h2>
<ol><li>Stir it all in the evening, and cover it.</li><li>Fold it in the morning, and let it rest for an hour.</li>
<li>Bake it in a <em>closed</em> pot at 240 °C: half an hour with the lid, a quarter without.</li></ol>
<p>More of this in <a href="/flours">which flour to take</a>.</p></article>
<footer>All rights reserved. <a href="/imprint">Imprint</a></footer></body></html>
"""


def add(page: Page) -> None:
    """URL or HTML and options; the page drawn, and beside it as the service gives it."""
    url = gr.Textbox(label="URL", value="https://example.com", placeholder="https://…", type="text", max_lines=1)
    with gr.Accordion("HTML instead of a page of the web", open=False):
        html = gr.Textbox(
            "", label="HTML", lines=6, max_lines=16, placeholder="<article>…</article>",
            info="Read in place of the page, whose address the URL is then.",
        )  # fmt: skip
    with gr.Row(elem_classes="pg-options"):
        form = gr.Dropdown(_FORMATS, value="content", label="Show", min_width=220)
        selector = gr.Textbox("", label="Only what fits (CSS)", placeholder="main, article", min_width=180, max_lines=1)
        engine = gr.Dropdown(_ENGINES, value="auto", label="By", min_width=200)
        budget = gr.Number(label="Tokens at most (0: any)", precision=0, minimum=0, value=0, min_width=180)
        with gr.Column(min_width=140):
            links = gr.Checkbox(label="List its links")
            images = gr.Checkbox(label="List its images")
    inputs = (url, html, form, selector, engine, budget, links, images)
    page.examples((url, html, form), {"A page": ("https://example.com", "", "content"),
                                      "Pasted HTML": ("https://bread.example/", _RECIPE, "content")})  # fmt: skip
    button = page.button("Read")
    about = gr.HTML("")
    with gr.Row(elem_classes="pg-sides"):
        with gr.Column(min_width=320):
            shown = gr.HTML(note("What is read is shown here, drawn and as it is.", "empty"), elem_classes="pg-page")
        with gr.Column(min_width=320):
            raw = gr.Code("", language="markdown", label="As it is", interactive=False, wrap_lines=True, max_lines=40,
                          show_line_numbers=False)  # fmt: skip
    page.product(button, inputs=inputs, asked=asked, outputs=(about, shown, raw), draw=_draw)


def asked(
    url: str, html: str, form: str, selector: str, engine: str, budget: float | None, links: bool, images: bool
) -> Asked:
    """The request; what is left as it is, is not in it."""
    if not url.strip() and not html.strip():
        raise ValueError("Write the URL of a page, or paste HTML.")
    body: dict[str, Any] = {
        "url": url.strip(),
        "html": html if html.strip() else "",
        "respondWith": "" if form == "content" else form,
        "targetSelector": selector.strip(),
        "engine": "" if engine == "auto" else engine,
        "tokenBudget": int(budget or 0),
        "withLinksSummary": links,
        "withImagesSummary": images,
    }
    return Asked("/r/", {name: value for name, value in body.items() if value}, headers={"Accept": "application/json"})


def _draw(answer: Answer, *_: Any) -> tuple[str, str, Any]:  # noqa: ANN401 (of inputs)
    return draw(answer.content["data"])


def draw(data: Mapping[str, Any]) -> tuple[str, str, Any]:
    """What is told of a page, the page drawn, and its text as it is."""
    picture = data.get("screenshotUrl") or data.get("pageshotUrl") or ""
    content, html, plain = data.get("content", ""), data.get("html", ""), data.get("text", "")
    if picture:
        shown = _picture(picture, data["title"])
    elif html:
        shown = note("HTML of others is not run here: beside this it stands as it is.")
    elif plain:
        shown = f'<div class="pg-plain" dir="auto">{text(plain)}</div>'
    else:
        shown = drawn(content) if content else note("The page has no such content.", "empty")
    language = "html" if html else None if plain else "markdown"
    return _about(data), shown, gr.update(value=content or html or plain, language=language, visible=not picture)


def _about(data: Mapping[str, Any]) -> str:
    """Title, address, cost, and what else the page says of itself."""
    warnings = "".join(note(line, "warning") for line in data.get("warning", "").splitlines())
    links, images = data.get("links", {}), data.get("images", {})
    told = facts(
        counted(data["usage"]["tokens"], "token"),
        text(data.get("publishedTime", "")),
        counted(data["numPages"], "page") if data.get("numPages") else "",
        counted(len(links), "link") if "links" in data else "",
        counted(len(images), "image") if "images" in data else "",
    )
    title = f'<h2 class="pg-name" dir="auto">{text(data["title"] or "Untitled")}</h2>'
    where = source(data["url"]) if data["url"] else ""
    return f"{title}{where}{told}{warnings}{_linked('Links', links)}{_linked('Images', images)}"


def _linked(name: str, found: Mapping[str, str]) -> str:
    if not found:
        return ""
    shown = [f"<bdi>{web_link(url, words)}</bdi>" for words, url in list(found.items())[:_SHOWN]]
    more = [f"and {len(found) - _SHOWN:,} more"] if len(found) > _SHOWN else []
    return folded(f"{name} ({len(found):,})", listed([*shown, *more]))


def _picture(url: str, title: str) -> str:
    if not url.startswith(_PNG):
        return web_link(url)
    return f'<img class="pg-picture" src="{text(url)}" alt="Picture of {text(title or "the page")}">'
