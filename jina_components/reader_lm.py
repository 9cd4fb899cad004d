"""ReaderLM: HTML into Markdown or JSON by a small language model."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import Self

from jina_components.core.component import Component
from jina_components.core.flow import Flow, adrive, drive
from jina_components.core.html_prompt import INSTRUCTIONS, around_html, clean_html, written_schema
from jina_components.errors import ConfigError, InputError
from jina_components.models.generation import Generated, Generation, GenerativeModel, load_generative_model
from jina_components.models.loading import LoadOptions
from jina_components.models.tokenize import check_text
from jina_components.protocols import Conversion
from jina_components.types import Usage


class ReaderLM(Component):
    """Converts HTML with a language model made for that, such as Jina's ReaderLM-v2.

    The text is the model's own: unlike the Markdown of `Reader` alone, its words need not all stand in the page. It
    is written greedily, the most likely token each time, so that equal input gives equal text.

    Thread-safe; one text is written at a time, in the order of the calls. Nothing is loaded before the first call or
    `load()`. Pickles as its settings. Needs `jina-components[torch]`.

    Args:
        model: Catalog name, folder of a causal checkpoint with a chat template, or hub id.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`. `auto` takes CUDA, then MPS, then the CPU.
        precision: `auto`, `float32`, `bfloat16` or `float16`. `auto` takes bfloat16 on CUDA and on a CPU with
            instructions for it, float16 on MPS, else float32.
        revision: Commit, tag or branch on the hub, to override the pinned one.
        offline: Never ask the hub.
        max_tokens: Longest text. Prompt and text share the model's context.
        repetition_penalty: How much less likely a token is that came before, in HTML or text; 1 for not at all.
        truncate: Keep the head of HTML that does not fit the model's context beside `max_tokens` instead of raising.

    Raises:
        ConfigError, UnknownNameError: a wrong setting.

    Example:
        >>> page = "<nav>Home</nav><h1>Rain</h1><p>It rains <b>today</b>.</p>"
        >>> print(ReaderLM().convert(page).text)
        # Rain
        <BLANKLINE>
        It rains **today**.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "ReaderLM-v2",
        *,
        device: str = "auto",
        precision: str = "auto",
        revision: str | None = None,
        offline: bool = False,
        max_tokens: int = 8192,
        repetition_penalty: float = 1.08,
        truncate: bool = False,
    ) -> None:
        if type(max_tokens) is not int or max_tokens < 1:
            raise ConfigError(f"max_tokens must be an int of at least 1, got {max_tokens!r}.")
        if not _is_positive(repetition_penalty):
            raise ConfigError(f"repetition_penalty must be a finite number above 0, got {repetition_penalty!r}.")
        if precision == "int8":
            raise ConfigError("precision='int8' does not generate: use auto, float32, bfloat16 or float16.")
        self._model_name = os.fspath(model)
        self._options = LoadOptions(device=device, precision=precision, revision=revision, offline=offline)
        self._max_tokens = max_tokens
        self._repetition_penalty = float(repetition_penalty)
        self._truncate = truncate
        self._model: GenerativeModel | None = None
        self._loading = threading.Lock()

    @property
    def name(self) -> str:
        """The model as given."""
        return self._model_name

    def convert(
        self,
        html: str,
        *,
        instruction: str | None = None,
        schema: str | Mapping[str, object] | None = None,
        truncate: bool | None = None,
    ) -> Conversion:
        """The main content of a page as Markdown, or what a schema asks for as JSON.

        Scripts, styles, comments, `<meta>`, `<link>`, SVG and embedded images are left out of the prompt.

        Args:
            html: The page.
            instruction: What to do with it; the model's usual one if None. Empty puts the HTML alone to the model,
                which is all that the first models, reader-lm-0.5b and -1.5b, take.
            schema: JSON schema of what to extract. The model follows it as well as it can; nothing is validated.
            truncate: Overrides the constructor's.

        Raises:
            InputError: no str, invalid Unicode, of over 5,000,000 characters, nothing left of it to convert, or over
                the context and `truncate` is False; an instruction or schema that is of another type, invalid Unicode
                or no JSON; a schema for a model that takes none.
            UnknownNameError, ModelFilesError, MissingDependencyError, ConfigError: the model cannot be loaded, or
                `max_tokens` leaves no room in its context.
            BackendError: the model failed.
        """
        return drive(self._flow(self._request(html, instruction, schema, truncate=truncate)))

    async def aconvert(
        self,
        html: str,
        *,
        instruction: str | None = None,
        schema: str | Mapping[str, object] | None = None,
        truncate: bool | None = None,
    ) -> Conversion:
        """`convert` without blocking the event loop; cancelling stops the model before its next token."""
        return await adrive(self._flow(self._request(html, instruction, schema, truncate=truncate)))

    def stream(
        self,
        html: str,
        *,
        instruction: str | None = None,
        schema: str | Mapping[str, object] | None = None,
        truncate: bool | None = None,
    ) -> ConversionStream:
        """`convert`, piece by piece, for `for` or `async for`; begins with the first piece asked for.

        Raises:
            InputError: as `convert`. What loading and the model raise, the stream raises.

        Example:
            >>> with ReaderLM().stream("<h1>Rain</h1><p>It rains.</p>") as pieces:
            ...     for piece in pieces:
            ...         print(piece, end="", flush=True)
            # Rain
            ...
        """
        return ConversionStream(self._request(html, instruction, schema, truncate=truncate))

    def _request(
        self, html: str, instruction: str | None, schema: str | Mapping[str, object] | None, *, truncate: bool | None
    ) -> Callable[[], Generation]:
        """What begins a conversion, with its input checked."""
        _check_str(html, "html")
        if instruction is not None:
            _check_str(instruction, "instruction")
        written = None if schema is None else written_schema(schema)
        check_text(written or "", "schema")
        cleaned = clean_html(html)
        if not cleaned.strip():
            raise InputError("html holds nothing to convert: it is empty, or all scripts, styles and comments.")
        truncate = self._truncate if truncate is None else truncate
        return partial(self._begin, cleaned, instruction, written, truncate=truncate)

    def _begin(self, html: str, instruction: str | None, schema: str | None, *, truncate: bool) -> Generation:
        model = self.load()
        if instruction is None:
            instruction = {**INSTRUCTIONS, **model.prompts}["html" if schema is None else "json"]
        opening, closing = around_html(instruction, schema)
        prompt = model.prompt.encode(opening, html, closing, room=model.room(self._max_tokens), truncate=truncate)
        return model.submit(prompt, max_tokens=self._max_tokens, repetition_penalty=self._repetition_penalty)

    def _flow(self, begin: Callable[[], Generation]) -> Flow[Conversion]:
        generation: Generation = yield begin
        try:
            return _conversion((yield generation.future))
        finally:
            generation.cancel()

    def load(self) -> GenerativeModel:
        """Load the model now rather than at the first call."""
        with self._loading:
            if self._model is None:
                self._model = load_generative_model(self._model_name, self._options)
            return self._model

    def close(self) -> None:
        """Give the model's memory back once what it writes is done; the next call loads it again."""
        with self._loading:
            self._model = None

    def __repr__(self) -> str:
        return f"ReaderLM({self._model_name!r})"


class ConversionStream(Iterator[str], AsyncIterator[str]):
    """Pieces of a text that is being written, for one reader at a time.

    An error, a cancelled wait, `close` or the end of a `with` block stops the model before its next token.
    """

    def __init__(self, begin: Callable[[], Generation]) -> None:
        self._begin = begin
        self._generation: Generation | None = None
        self._conversion: Conversion | None = None
        self._closed = False

    @property
    def conversion(self) -> Conversion | None:
        """The whole text, its usage and what ended it, once the stream has come to its end; None before."""
        return self._conversion

    def close(self) -> None:
        """Stop the model; no more pieces come."""
        self._closed = True
        if self._generation is not None:
            self._generation.cancel()

    def __next__(self) -> str:
        try:
            piece = drive(self._flow())
        except BaseException:
            self.close()
            raise
        if not piece:
            raise StopIteration
        return piece

    async def __anext__(self) -> str:
        try:
            piece = await adrive(self._flow())
        except BaseException:
            self.close()
            raise
        if not piece:
            raise StopAsyncIteration
        return piece

    def _flow(self) -> Flow[str]:
        """The next piece; empty at the end."""
        if self._closed:
            return ""
        if self._generation is None:
            self._generation = yield self._begin
        piece: str = yield self._generation.next_piece()
        if not piece:
            self._closed = True
            if not self._generation.future.cancelled():
                self._conversion = _conversion(self._generation.future.result())
        return piece

    def __repr__(self) -> str:
        return f"ConversionStream({'ended' if self._closed else 'open' if self._generation else 'not begun'})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def _is_positive(number: object) -> bool:
    """Whether a number is real, finite and above 0; a bool is none."""
    return isinstance(number, int | float) and not isinstance(number, bool) and 0 < number <= sys.float_info.max


def _check_str(text: object, name: str) -> None:
    if not isinstance(text, str):
        raise InputError(f"{name} must be str, got {type(text).__name__}.")
    check_text(text, name)


def _conversion(generated: Generated) -> Conversion:
    return Conversion(
        generated.text, Usage(generated.prompt_tokens, generated.completion_tokens), generated.finish_reason
    )
