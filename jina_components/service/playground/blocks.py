"""The page itself, in Gradio's terms."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import gradio as gr
from fastapi import FastAPI
from gradio.utils import LRUCache
from starlette.middleware.cors import CORSMiddleware

from jina_components.service.playground.page import Page
from jina_components.service.playground.tabs import TABS
from jina_components.service.playground.theme import CSS, SCRIPT, theme

# Events that run at once, and that wait; those beyond are told to come again.
_AT_ONCE = 16
_WAITING = 64
# Sessions that Gradio keeps the last results of; they are needed for nothing.
_SESSIONS = 64
# Sessions that messages wait for until they are heard.
_STREAMS = 256
# Seconds between looks of Gradio's queue at whether there is something to do: its own thousand a second are felt.
_LOOK = 0.02


def made(service: FastAPI) -> gr.Blocks:
    """The page, ready to be served by its `app`."""
    with gr.Blocks(title="Playground", analytics_enabled=False, fill_width=True) as blocks:
        with gr.Row(elem_classes="pg-head"):
            gr.HTML(_TITLE, elem_classes="pg-title")
            key = gr.Textbox(
                label="Key",
                type="password",
                placeholder="jina_…" if service.state.access.needs_keys else "none is needed",
                elem_classes="pg-key",
                html_attributes=gr.InputHTMLAttributes(autocomplete="off", spellcheck=False),
            )
        origin = gr.Textbox("", visible="hidden")
        page = Page(service, key, origin)
        with gr.Tabs(elem_classes="pg-tabs", overflow_behavior="wrap"):
            for tab in TABS:
                with gr.Tab(tab.title, id=tab.name, elem_id=f"pg-{tab.name}", elem_classes="pg-product"):
                    tab.add(page)
        page.begin(blocks)
    blocks.queue(max_size=_WAITING, default_concurrency_limit=_AT_ONCE, api_open=False)
    blocks.state_session_capacity = _SESSIONS
    queue = blocks._queue  # noqa: SLF001 (there are no settings for these)
    queue.pending_messages_per_session = _Streams(_STREAMS)
    queue.ANALYTICS_MAX_EVENTS = 0  # statistics for a page that is not served: pandas goes through all after each event
    queue.sleep_when_free = queue.progress_update_sleep_when_free = _LOOK
    return _mounted(blocks)


class _Streams(LRUCache[str, Any]):
    """Messages of sessions, the last ones; what is said to one that was forgotten is heard by nobody.

    Gradio's own would raise KeyError then, which ends its queue for all.
    """

    def __missing__(self, _: str) -> asyncio.Queue[Any]:
        return asyncio.Queue()


_TITLE = """<h1>Playground</h1>
<p>Try the components of this service; each tab has its request as code. <a href="docs">Reference</a></p>"""


def _mounted(blocks: gr.Blocks) -> gr.Blocks:
    """Gives the page its `app`."""
    nobody = FastAPI()  # whose routes are Gradio's, of which the doors let few through
    nobody.add_middleware(CORSMiddleware)  # the service has its own; without one Gradio would add one
    gr.mount_gradio_app(
        nobody,
        blocks,
        path="/",
        theme=theme(),
        css=CSS,
        js=SCRIPT,
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        max_file_size=0,
    )
    # A session begins with the properties of all components otherwise, for links to it that there are not: 40 ms.
    bare: Any = SimpleNamespace(default_config=blocks.default_config, blocks=())
    blocks.state_holder.blocks = blocks.app.state_holder.blocks = bare
    return blocks
