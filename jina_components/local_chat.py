"""LocalChat: a language model on this machine as a chat model."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

from jina_components.core.background import iterate_sync
from jina_components.core.component import Component
from jina_components.core.conversations import check_messages
from jina_components.core.flow import Flow, Step, adrive, drive
from jina_components.core.inputs import check_unicode, is_finite_number
from jina_components.errors import BackendError, ChatError, ConfigError, ContextOverflowError
from jina_components.models.conversation import ConversationPrompt
from jina_components.models.files import find_files
from jina_components.models.generation import Generated, Generation, GenerativeModel, load_generative_model
from jina_components.models.loading import LoadOptions
from jina_components.models.tokenize import load_tokenizer
from jina_components.protocols import ChatMessage, ChatReply
from jina_components.types import Usage

_Loaded: TypeAlias = tuple[GenerativeModel, ConversationPrompt]


class LocalChat(Component):
    """Answers conversations with a causal language model that has a chat template, such as Qwen's or Llama's.

    Texts are written greedily, the most likely token each time, so that equal conversations get equal replies. Nothing
    holds the model to JSON.

    Thread-safe; one text is written at a time, in the order of the calls. Nothing is loaded before the first call or
    `load()`. Pickles as its settings. Needs `jina-components[torch]`.

    Args:
        model: Folder of a causal checkpoint with a chat template, or hub id.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`. `auto` takes CUDA, then MPS, then the CPU.
        precision: `auto`, `float32`, `bfloat16` or `float16`. `auto` takes bfloat16 on CUDA and on a CPU with
            instructions for it, float16 on MPS, else float32.
        revision: Commit, tag or branch on the hub.
        offline: Never ask the hub.
        max_tokens: Longest reply. Conversation and reply share the model's context.
        repetition_penalty: How much less likely a token is that came before; 1 for not at all.

    Raises:
        ConfigError: a wrong setting.

    Example:
        >>> chat = LocalChat("Qwen/Qwen2.5-0.5B-Instruct")
        >>> chat.chat([ChatMessage("user", "Say hello.")]).text
        'Hello!'
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        device: str = "auto",
        precision: str = "auto",
        revision: str | None = None,
        offline: bool = False,
        max_tokens: int = 1024,
        repetition_penalty: float = 1.0,
    ) -> None:
        if type(max_tokens) is not int or max_tokens < 1:
            raise ConfigError(f"max_tokens must be an int of at least 1, got {max_tokens!r}.")
        if not is_finite_number(repetition_penalty) or repetition_penalty <= 0:
            raise ConfigError(f"repetition_penalty must be a finite number above 0, got {repetition_penalty!r}.")
        if precision == "int8":
            raise ConfigError("precision='int8' does not generate: use auto, float32, bfloat16 or float16.")
        self._model_name = os.fspath(model)
        self._options = LoadOptions(device=device, precision=precision, revision=revision, offline=offline)
        self._max_tokens = max_tokens
        self._repetition_penalty = float(repetition_penalty)
        self._loaded: _Loaded | None = None
        self._loading = threading.Lock()

    @property
    def name(self) -> str:
        """The model as given."""
        return self._model_name

    def chat(self, messages: Sequence[ChatMessage]) -> ChatReply:
        """The model's reply to a conversation; the text may hold its thoughts, if it is one that thinks.

        Raises:
            InputError: `messages` is no list, is empty, or holds what is no ChatMessage, has images or files, or is no
                valid Unicode (`.index` names it); or the chat template does not take these turns.
            UnknownNameError, ModelFilesError, MissingDependencyError, ConfigError: the model cannot be loaded, or
                `max_tokens` leaves no room in its context.
            ContextOverflowError: the conversation does not fit the context beside `max_tokens`.
            ChatError: the model failed, or does not fit into the memory.
        """
        with _as_chat_errors():
            return drive(self._flow(self._request(messages)))

    async def achat(self, messages: Sequence[ChatMessage]) -> ChatReply:
        """`chat` without blocking the event loop; cancelling stops the model before its next token."""
        with _as_chat_errors():
            return await adrive(self._flow(self._request(messages)))

    async def astream(self, messages: Sequence[ChatMessage]) -> AsyncGenerator[str | ChatReply, None]:
        """The reply piece by piece, as it is written: texts, and last the whole `ChatReply`; raises as `chat`.

        Closing the generator stops the model before its next token.
        """
        begin = self._request(messages)
        with _as_chat_errors():
            generation: Generation = await adrive(_step(begin))
        try:
            while piece := await self._next_piece(generation):
                yield piece
            yield _reply(generation.future.result())
        finally:
            generation.cancel()

    async def _next_piece(self, generation: Generation) -> str:
        """What was written since the last; empty at the end."""
        with _as_chat_errors():
            piece: str = await adrive(_step(generation.next_piece()))
        return piece

    def stream(self, messages: Sequence[ChatMessage]) -> Iterator[str | ChatReply]:
        """`astream`, for `for`; closing the iterator stops the model before its next token."""
        return iterate_sync(self.astream(messages))

    def _request(self, messages: Sequence[ChatMessage]) -> Callable[[], Generation]:
        """What begins a reply, with its input checked."""
        check_messages(messages, images=False)
        for index, message in enumerate(messages):
            check_unicode(message.content, what=f"messages[{index}]", index=index)
        return partial(self._begin, [(message.role, message.content) for message in messages])

    def _begin(self, turns: Sequence[tuple[str, str]]) -> Generation:
        model, prompt = self._load()
        room, ids = model.room(self._max_tokens), prompt.encode(turns)
        if room is not None and len(ids) > room:
            raise ContextOverflowError(
                f"The conversation has {len(ids)} tokens, of which {room} fit the context of {self._model_name!r} "
                f"beside max_tokens={self._max_tokens}: shorten it, or lower max_tokens."
            )
        return model.submit(ids, max_tokens=self._max_tokens, repetition_penalty=self._repetition_penalty)

    def _flow(self, begin: Callable[[], Generation]) -> Flow[ChatReply]:
        generation: Generation = yield begin
        try:
            return _reply((yield generation.future))
        finally:
            generation.cancel()

    def load(self) -> None:
        """Load the model now rather than at the first call."""
        self._load()

    def _load(self) -> _Loaded:
        with self._loading:
            if self._loaded is None:
                self._loaded = self._open()
            return self._loaded

    def _open(self) -> _Loaded:
        model = load_generative_model(self._model_name, self._options)
        from jina_components.models.backends.chat_template import ChatTemplate

        folder = find_files(self._model_name, revision=self._options.revision, offline=True).folder
        return model, ConversationPrompt(load_tokenizer(folder / "tokenizer.json"), ChatTemplate(folder).render)

    def close(self) -> None:
        """Give the model's memory back once what it writes is done; the next call loads it again."""
        with self._loading:
            self._loaded = None

    def __repr__(self) -> str:
        return f"LocalChat({self._model_name!r})"


def _step(step: Step) -> Flow[Any]:
    return (yield step)


@contextmanager
def _as_chat_errors() -> Iterator[None]:
    try:
        yield
    except BackendError as error:
        raise ChatError(f"The chat model failed: {error}") from error


def _reply(generated: Generated) -> ChatReply:
    usage = Usage(generated.prompt_tokens, generated.completion_tokens)
    return ChatReply(generated.text, usage, generated.finish_reason)
