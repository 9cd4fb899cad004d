"""Generative models: one owner thread a model, a text that grows piece by piece, and the rules that end it.

A model generates one text at a time, in the order of the calls. The thread lives as long as there is work.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from jina_components.errors import BackendError, ConfigError, JinaComponentsError, ModelFilesError
from jina_components.models.chat_prompt import ChatPrompt
from jina_components.models.decoding import Detokenizer, LoopGuard
from jina_components.models.files import find_files, find_spec
from jina_components.models.layout import read_json, read_layout
from jina_components.models.loading import LoadOptions
from jina_components.models.owners import start_thread
from jina_components.models.tokenize import load_tokenizer
from jina_components.protocols import FinishReason

if TYPE_CHECKING:
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)


class CausalBackend(Protocol):
    """A causal language model that runs."""

    vocabulary: int
    """Token ids that it knows."""

    def tokens(self, prompt: Sequence[int], *, repetition_penalty: float) -> Generator[int | None, None, None]:
        """The most likely tokens after the prompt, without end; None where the caller may stop before the first."""
        ...


@dataclass(frozen=True, slots=True)
class Generated:
    """A text that a model wrote.

    Attributes:
        text: The text, without special tokens.
        prompt_tokens: Tokens that it was given.
        completion_tokens: Tokens that it wrote, the one that ends the text included.
        finish_reason: What ended it.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: FinishReason


class Generation:
    """A text that is being written, or waits for its turn.

    Attributes:
        future: Completes with the whole text; cancelling it stops the model before the next token.
    """

    def __init__(self, prompt: Sequence[int], *, max_tokens: int, repetition_penalty: float) -> None:
        self.prompt = prompt
        self.max_tokens = max_tokens
        self.repetition_penalty = repetition_penalty
        self.future: Future[Generated] = Future()
        self._pieces: list[str] = []
        self._given = 0
        self._waiter: Future[str] | None = None
        self._lock = threading.Lock()
        self.future.add_done_callback(lambda _: self._deliver())

    def cancel(self) -> None:
        """Stop the work, unless it is done."""
        self.future.cancel()

    def next_piece(self) -> Future[str]:
        """What was written since the last call, as soon as there is something; empty at the end.

        Fails with the model's error. Not to be asked for again before it is there.
        """
        waiter: Future[str] = Future()
        with self._lock:
            self._waiter = waiter
        self._deliver()
        return waiter

    def put(self, piece: str) -> None:
        """Add a piece of text."""
        if piece:
            with self._lock:
                self._pieces.append(piece)
            self._deliver()

    def finish(self, completion_tokens: int, reason: FinishReason) -> None:
        """Complete the future with all pieces."""
        if self._may_end():
            self.future.set_result(Generated("".join(self._pieces), len(self.prompt), completion_tokens, reason))

    def fail(self, error: JinaComponentsError) -> None:
        """Complete the future with an error."""
        if self._may_end():
            self.future.set_exception(error)

    def _may_end(self) -> bool:
        return not self.future.done() and self.future.set_running_or_notify_cancel()

    def _deliver(self) -> None:
        """Give the waiter what is there, if anything is or will be."""
        with self._lock:
            waiter, new = self._waiter, len(self._pieces) - self._given
            if waiter is None or not (new or self.future.done()):
                return
            self._waiter = None
            if not waiter.set_running_or_notify_cancel():
                return  # nobody waits any more; the text is the next one's
            pieces, self._given = self._pieces[self._given :], len(self._pieces)
        error = None if pieces or self.future.cancelled() else self.future.exception()
        if error is None:
            waiter.set_result("".join(pieces))
        else:
            waiter.set_exception(error)


class GenerativeModel:
    """A causal language model that answers a user's turn.

    Args:
        backend: Runs it.
        tokenizer: Its own.
        prompt: Makes its prompts.
        stops: Token ids that end a text.
        context: Tokens that prompt and text may have together; None for any number.
        prompts: Instructions of its catalog row, by name.
    """

    def __init__(
        self,
        backend: CausalBackend,
        tokenizer: Tokenizer,
        prompt: ChatPrompt,
        *,
        stops: frozenset[int],
        context: int | None = None,
        prompts: Mapping[str, str] | None = None,
    ) -> None:
        self.prompt = prompt
        self.context = context
        self.prompts = prompts or {}
        self._backend = backend
        self._tokenizer = tokenizer
        self._stops = stops
        self._waiting: deque[Generation] = deque()
        self._running: Generation | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def room(self, max_tokens: int) -> int | None:
        """Tokens that a prompt may have.

        Raises:
            ConfigError: there is no room beside `max_tokens`.
        """
        if self.context is not None and self.context <= max_tokens:
            raise ConfigError(
                f"max_tokens={max_tokens} leaves no room in the model's context of {self.context} tokens."
            )
        return None if self.context is None else self.context - max_tokens

    def submit(self, prompt: Sequence[int], *, max_tokens: int, repetition_penalty: float = 1.0) -> Generation:
        """Queue a prompt.

        Raises:
            BackendError: no thread can be started.
        """
        generation = Generation(prompt, max_tokens=max_tokens, repetition_penalty=repetition_penalty)
        with self._lock:
            if self._thread is None:
                self._thread = start_thread(self, self._own, "jina-components-generation")
            self._waiting.append(generation)
        return generation

    def stop(self) -> None:
        """Cancel what runs and what waits; the thread ends before the next token."""
        with self._lock:
            stopped = [*self._waiting, *([self._running] if self._running is not None else [])]
        for generation in stopped:
            generation.cancel()

    def after_fork(self) -> None:
        """As `Owner`."""
        self._lock = threading.Lock()
        self._waiting, self._running, self._thread = deque(), None, None

    def _own(self) -> None:
        """Text after text, until none is wanted; whatever fails here, nobody is left waiting."""
        while (generation := self._next()) is not None:
            try:
                self._generate(generation)
            except BaseException as error:  # noqa: BLE001 (belongs to the caller who waits)
                generation.fail(_as_backend_error(error))

    def _next(self) -> Generation | None:
        with self._lock:
            self._running = self._waiting.popleft() if self._waiting else None
            if self._running is None:
                self._thread = None
            return self._running

    def _generate(self, generation: Generation) -> None:
        text, guard = Detokenizer(self._tokenizer), LoopGuard()
        count, reason = 0, None
        steps = self._backend.tokens(generation.prompt, repetition_penalty=generation.repetition_penalty)
        with closing(steps):
            while reason is None:
                if generation.future.done():
                    return
                token = next(steps)
                if token is None:
                    continue
                count += 1
                if token not in self._stops:
                    generation.put(text.push(token))
                reason = self._reason(token, guard, ended=count >= generation.max_tokens)
        generation.put(text.flush())
        generation.finish(count, reason)

    def _reason(self, token: int, guard: LoopGuard, *, ended: bool) -> FinishReason | None:
        """Why the text ends with this token, if it does."""
        if token in self._stops:
            return "stop"
        if guard.push(token):
            return "repetition"
        return "length" if ended else None


def _as_backend_error(error: BaseException) -> JinaComponentsError:
    if isinstance(error, JinaComponentsError):
        return error
    short = "out of memory" in str(error).lower() or isinstance(error, MemoryError)
    remedy = " Pass a smaller input, or use a smaller model." if short else ""
    wrapped = BackendError(f"The model failed: {type(error).__name__}: {error}.{remedy}")
    wrapped.__cause__ = error
    return wrapped


def load_generative_model(name: str, options: LoadOptions) -> GenerativeModel:
    """Load the checkpoint of a causal language model that has a chat template.

    Args:
        name: Catalog name, folder or hub id.
        options: How to load it.

    Raises:
        UnknownNameError, ModelFilesError, MissingDependencyError, ConfigError, BackendError: it cannot be loaded; says
            why.
    """
    spec = find_spec(name)
    if spec is not None and spec.kind != "generative":
        raise ConfigError(f"Model {name!r} is of kind {spec.kind!r}, where 'generative' is needed.")
    folder = find_files(name, revision=options.revision, offline=options.offline).folder
    config = read_layout(folder).config
    architectures = config.get("architectures") or []
    if not any(architecture.endswith("ForCausalLM") for architecture in architectures):
        raise ModelFilesError(f"{name!r} does not generate text: it has the architecture {architectures}.")
    limits = (config.get("max_position_embeddings"), spec.context if spec is not None else None)
    return _assemble(
        folder, options, context=min(filter(None, limits), default=None), prompts=spec.prompts if spec else {}
    )


def _assemble(
    folder: Path, options: LoadOptions, *, context: int | None, prompts: Mapping[str, str]
) -> GenerativeModel:
    from jina_components.models.backends.generating import TorchGenerator, around_user_turn

    tokenizer = load_tokenizer(folder / "tokenizer.json")
    prompt = ChatPrompt(tokenizer, *around_user_turn(folder))
    stops = _stop_ids(folder, tokenizer)
    backend = TorchGenerator(folder, device=options.device, precision=options.precision)
    if tokenizer.get_vocab_size() > backend.vocabulary:
        raise ModelFilesError(
            f"{folder}: the tokenizer has {tokenizer.get_vocab_size()} tokens, the model only {backend.vocabulary}."
        )
    logger.info("%s: device=%s (asked: %s), precision=%s (%s)", folder, backend.device, options.device,
                backend.precision, options.precision)  # fmt: skip
    return GenerativeModel(backend, tokenizer, prompt, stops=stops, context=context, prompts=prompts)


def _stop_ids(folder: Path, tokenizer: Tokenizer) -> frozenset[int]:
    """Ids of all tokens that a checkpoint's files say end a text.

    Raises:
        ModelFilesError: they say none, so that no text would end.
    """
    ids: set[int] = set()
    for name in ("generation_config.json", "config.json"):
        given = read_json(folder / name, default={}).get("eos_token_id")
        ids.update(given if isinstance(given, list) else [] if given is None else [given])
    token = read_json(folder / "tokenizer_config.json", default={}).get("eos_token")
    token = token.get("content") if isinstance(token, dict) else token
    number = tokenizer.token_to_id(token) if token else None
    if number is not None:
        ids.add(number)
    if not ids:
        raise ModelFilesError(f"{folder} names no token that ends a text: generation_config.json needs eos_token_id.")
    return frozenset(ids)
