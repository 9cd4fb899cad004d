"""What all tabs share: the button and its waiting, the code of the request, and errors in the service's words.

A tab, in `tabs/`, is one function:

    def add(page: Page) -> None:
        with gr.Row(elem_classes="pg-sides"):               # side by side, one below the other on a narrow screen
            with gr.Column():
                query = gr.Textbox(label="Query", value="…")
                documents = gr.Textbox(label="Documents, one a line", lines=6)
                page.examples((query, documents), {"Physics": ("…", "…")})
                button = page.button("Rerank")
            with gr.Column():
                ranked = gr.HTML(EMPTY)
        page.product(button, inputs=(query, documents), asked=asked, outputs=(ranked,), draw=draw)

    def asked(query: str, documents: str) -> Asked: ...     # ValueError("Write a query.") is shown as it is
    def draw(answer: Answer, query: str, documents: str) -> str: ...   # HTML; text of others through `drawing.text`
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal, TypeAlias

import gradio as gr
from fastapi import FastAPI
from gradio.components import Component
from gradio.events import Dependency

from jina_components.models.catalog import BY_NAME
from jina_components.service.components import Components
from jina_components.service.models import Models
from jina_components.service.playground import code
from jina_components.service.playground.asking import Refused, Service
from jina_components.service.playground.code import Asked
from jina_components.service.playground.drawing import note
from jina_components.service.playground.waiting import ticked

logger = logging.getLogger(__name__)

Values: TypeAlias = Any
"""What goes into the outputs of a tab: a value, or a tuple where there are several."""

# What inputs hold is for the service to judge: Gradio would print what does not fit.
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "preprocess": False}
_LANGUAGES: dict[str, Literal["shell", "python", "javascript"]] = {
    "curl": "shell", "Python": "python", "JavaScript": "javascript",
}  # fmt: skip
_STATUS = '<div role="status" aria-live="polite">${value}</div>'
# In the browser: an origin behind a proxy may have a path; and code needs to know only whether there is a key.
_ASIDE = """(_, key, ...others) =>
  [location.origin + location.pathname.replace(/\\/+$/, ""), key.trim() && "yes", ...others]"""


@dataclass(frozen=True, slots=True)
class Button:
    """A button that runs a tab, the one that stops it, and the line below them that tells how it goes."""

    button: gr.Button
    stop: gr.Button
    status: gr.HTML

    @property
    def telling(self) -> list[Component]:
        """What `_told` is for."""
        return [self.status, self.stop]


class Page:
    """The page that tabs are put on.

    Attributes:
        app: The service.
        components: Its components: names of models that are here.
        key: The field of the key.
        origin: A hidden field, in whose place the browser tells where it found the page.
        needs_keys: Whether the service does.

    Args:
        app: As `create_app` makes it.
        key: As above.
        origin: As above.
    """

    def __init__(self, app: FastAPI, key: gr.Textbox, origin: gr.Textbox) -> None:
        self.app = app
        self.components: Components = app.state.components
        self.key = key
        self.origin = origin
        self.needs_keys: bool = app.state.access.needs_keys
        self._coded: list[_Coded] = []

    def button(self, label: str) -> Button:
        """The buttons of a tab, where it is called; Ctrl-Enter presses the first one of a tab."""
        with gr.Row(elem_classes="pg-buttons"):
            button = gr.Button(label, variant="primary", scale=4, min_width=120, elem_classes="pg-run")
            stop = gr.Button("Stop", interactive=False, scale=1, min_width=80)
        return Button(button, stop, gr.HTML("", elem_classes="pg-status", html_template=_STATUS))

    def models(self, models: Models[Any], label: str) -> gr.Dropdown:
        """A choice of the models that are surely here; the name of another one may be written."""
        how = self.components.settings
        here = {*how.aliases, *how.stand_ins, *how.only, *how.warm_up}
        here |= {spec.name for spec in BY_NAME.values() if spec.bundled}
        names = [name for name in models.names if name in here]
        return gr.Dropdown(
            names, value=names[0] if names else "", label=label, allow_custom_value=True, scale=2, min_width=240
        )

    def examples(self, inputs: Sequence[Component], examples: Mapping[str, Sequence[Any]]) -> None:
        """Small buttons that fill the inputs: by what is written on them, the values."""
        with gr.Row(elem_classes="pg-examples"):
            for title, values in examples.items():
                gr.Button(title, size="sm", min_width=40).click(
                    None, js=f"() => {json.dumps(list(values))}", outputs=list(inputs), **_QUIET
                )

    def product(
        self,
        button: Button,
        *,
        inputs: Sequence[Component],
        asked: Callable[..., Asked | Sequence[Asked]],
        outputs: Sequence[Component],
        draw: Callable[..., Values] | None = None,
        follow: Callable[..., AsyncGenerator[Values, None]] | None = None,
        keeps: bool = False,
    ) -> Dependency:
        """What the button does, as an event; puts the code of the request where it is called.

        Args:
            button: As `button` made it.
            inputs: What the request is made of. Enter in those of one line runs it too.
            asked: Their values → the request, or several of them, which are made one after another. A ValueError is a
                sentence that says what is missing.
            outputs: Where results go. When there is none, they show again what they were made with.
            draw: The answer, or the list of answers, and the values of the inputs → values of the outputs; in a thread.
            follow: Instead of `draw` where the request is `streamed`: an async iterator of its events, and the values
                of the inputs → an async generator of values of the outputs, each in place of the one before.
            keeps: Whether the outputs stay as they are when there is no result.
        """
        unchanged = [gr.skip()] * len(outputs)
        empty = unchanged if keeps else [each.value for each in outputs]  # that it was made with

        async def run(request: gr.Request, key: str, *values: Any) -> AsyncGenerator[list[Any], None]:  # noqa: ANN401
            began = perf_counter()
            yield [*_told("Working…", "working"), *unchanged]
            try:
                wanted, service = _wanted(asked, values), self.service(request, key)
                async with aclosing(ticked(_drawn(service, wanted, values, draw, follow))) as pictures:
                    async for picture in pictures:
                        shown = unchanged if picture is None else picture if len(outputs) > 1 else [picture]
                        yield [*_told(f"Working… {perf_counter() - began:.0f} s", "working"), *shown]
            except Refused as refusal:
                yield [*_told(str(refusal), "error"), *empty]
            except Exception:
                logger.exception("The playground could not show an answer.")
                yield [*_told("The answer cannot be shown; the log of the service says why.", "error"), *empty]
            else:
                yield [*_told(f"Done in {perf_counter() - began:.2f} s", "done"), *unchanged]

        triggers = [button.button.click]
        triggers += [each.submit for each in inputs if isinstance(each, gr.Textbox) and each.lines == 1]
        running = gr.on(
            triggers,
            run,
            inputs=[self.key, *inputs],
            outputs=[*button.telling, *outputs],
            trigger_mode="once",
            **_QUIET,
        )
        button.stop.click(_stopped, outputs=button.telling, cancels=[running], **_QUIET)
        self._code(asked, list(inputs))
        return running

    def service(self, request: gr.Request, key: str) -> Service:
        """The service for whoever looks at the page."""
        client = request.client
        return Service(self.app, client.host if client else "", key)

    def _code(self, asked: Callable[..., Asked | Sequence[Asked]], inputs: list[Component]) -> None:
        with gr.Accordion("The request as code", open=False, elem_classes="pg-code"), gr.Tabs():
            shown: list[Component] = []
            for title, language in _LANGUAGES.items():
                with gr.Tab(title):
                    shown.append(
                        gr.Code(
                            language=language, interactive=False, label=title, wrap_lines=True, show_line_numbers=False
                        )
                    )

        def write(origin: str, key: str, *values: Any) -> list[str]:  # noqa: ANN401 (of inputs)
            try:
                wanted = several(_wanted(asked, values))
            except Refused as missing:
                return [f"{mark} {missing}" for mark in ("#", "#", "//")]
            has_key = self.needs_keys or bool(key)
            written = (code.curl, code.python, code.javascript)
            return ["\n\n".join(write(each, origin, has_key=has_key) for each in wanted) for write in written]

        async def rewrite(origin: str, key: str, *values: Any) -> list[str]:  # noqa: ANN401 (a coroutine needs no thread)
            return write(origin, key, *values)

        changes = [each.change for each in (self.key, *inputs)]  # type: ignore[attr-defined]  # every one has it
        gr.on(
            changes,
            rewrite,
            inputs=[self.origin, self.key, *inputs],
            outputs=shown,
            js=_ASIDE,
            trigger_mode="always_last",
            **_QUIET,
        )
        self._coded.append(_Coded(write, inputs, shown))

    def begin(self, blocks: gr.Blocks) -> None:
        """What happens when the page is opened: the code of all tabs is written, for its address."""
        inputs = [component for each in self._coded for component in each.inputs]
        outputs = [component for each in self._coded for component in each.shown]

        async def write(origin: str, key: str, *values: Any) -> list[str]:  # noqa: ANN401 (of inputs)
            written, rest = list[str](), list(values)
            for each in self._coded:
                own, rest = rest[: len(each.inputs)], rest[len(each.inputs) :]
                written += each.write(origin, key, *own)
            return written

        blocks.load(
            write,
            inputs=[self.origin, self.key, *inputs],
            outputs=outputs,
            js=_ASIDE,
            **_QUIET,
        )


@dataclass(frozen=True, slots=True)
class _Coded:
    """The code of a tab."""

    write: Callable[..., list[str]]
    inputs: list[Component]
    shown: list[Component]


async def _drawn(
    service: Service,
    wanted: Asked | Sequence[Asked],
    values: Sequence[Any],
    draw: Callable[..., Values] | None,
    follow: Callable[..., AsyncGenerator[Values, None]] | None,
) -> AsyncGenerator[Values, None]:
    """What is to be seen of an answer, in place of what was before."""
    if draw is not None:
        answers = [await service.ask(each) for each in several(wanted)]
        yield await asyncio.to_thread(draw, answers[0] if isinstance(wanted, Asked) else answers, *values)
        return
    assert isinstance(wanted, Asked)  # noqa: S101 (a tab that follows has one request)
    assert follow is not None  # noqa: S101 (a tab has one of both)
    async with aclosing(service.stream(wanted)) as events, aclosing(follow(events, *values)) as pictures:
        async for picture in pictures:
            yield picture


def _told(words: str, kind: str) -> list[Any]:
    """How it goes, for the line below the buttons, and the button that stops it."""
    return [note(words, kind), gr.Button(interactive=kind == "working")]


async def _stopped() -> list[Any]:
    return _told("Stopped. The service works on it no more.", "done")


def _wanted(asked: Callable[..., Asked | Sequence[Asked]], values: Sequence[Any]) -> Asked | Sequence[Asked]:
    """The request that inputs make.

    Raises:
        Refused: something is missing.
    """
    try:
        return asked(*values)
    except ValueError as missing:
        raise Refused(400, str(missing), "") from missing


def several(wanted: Asked | Sequence[Asked]) -> Sequence[Asked]:
    """The requests of a tab, most of which have one."""
    return [wanted] if isinstance(wanted, Asked) else wanted


def lines(given: str, missing: str) -> list[str]:
    """The lines of a text that have something in them.

    Raises:
        ValueError: there is none, which `missing` says.
    """
    found = [each.strip() for each in given.splitlines() if each.strip()]
    if not found and missing:
        raise ValueError(missing)
    return found
