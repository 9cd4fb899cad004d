"""Embedding models behind one face: those that run here, and those that run on somebody's server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from jina_components.core.background import background_loop, run_sync
from jina_components.core.names import resolve_name
from jina_components.errors import BackendError
from jina_components.models.pending import Pending

if TYPE_CHECKING:
    from jina_components.models.backends.http import HTTPEmbeddingModel
    from jina_components.models.runner import JobResult, ModelRunner
    from jina_components.models.tokenize import TextTokenizer
    from jina_components.types import FloatArray

# Names under which models keep the prompt of a task, in order of preference.
TASKS: dict[str, tuple[str, ...]] = {
    "retrieval.query": ("retrieval.query", "query"),
    "retrieval.passage": ("retrieval.passage", "document", "passage", "corpus"),
    "text-matching": ("text-matching", "sts"),
    "classification": ("classification",),
    "separation": ("separation", "clustering"),
}


Embedded: TypeAlias = "tuple[FloatArray, int]"
"""Rows, and the number of tokens that ran."""


class Identity(NamedTuple):
    """What determines a model's vectors, for caches: its name, what pins its weights, and how it runs."""

    name: str
    revision: str
    precision: str


class EmbeddingModel(Protocol):
    """A model ready to embed."""

    @property
    def context(self) -> int | None:
        """Longest text in tokens; None without a limit, or where only a server knows it."""
        ...

    @property
    def by_length(self) -> bool:
        """Whether texts of similar length should come together."""
        ...

    @property
    def width(self) -> int:
        """Dimensions of its vectors; may have to ask a server."""
        ...

    @property
    def known_width(self) -> int | None:
        """The same where nobody has to be asked."""
        ...

    @property
    def identity(self) -> Identity:
        """What determines its vectors."""
        ...

    def prompt(self, task: str | None) -> str:
        """What is put before each text for a task.

        Raises:
            UnknownNameError: no such task.
        """
        ...

    def submit(
        self,
        texts: Sequence[str],
        indices: Sequence[int],
        *,
        task: str | None,
        truncate: bool,
        on_progress: Callable[[int], object],
    ) -> Pending[Embedded]:
        """Begin to embed texts; `indices` are those of the caller's list, for errors.

        Raises:
            InputError: a text that the model does not take.
        """
        ...

    def close(self) -> None:
        """Give memory and connections back."""
        ...


@dataclass(frozen=True)
class LocalModel:
    """A model in this process.

    Attributes:
        tokenizer: Of the model.
        runner: Its owner thread.
        prompts: Text put before an input, by task or by the names that folders use.
        default_prompt: Without a task.
        identity: What determines its vectors.
    """

    tokenizer: TextTokenizer
    runner: ModelRunner
    prompts: Mapping[str, str]
    default_prompt: str
    identity: Identity

    by_length = True

    @property
    def context(self) -> int | None:
        """Longest text in tokens."""
        return self.tokenizer.context

    @property
    def width(self) -> int:
        """Dimensions of the vectors."""
        return self.runner.width

    known_width = width

    def prompt(self, task: str | None) -> str:
        """The prompt that the model was trained with for a task, or empty."""
        if task is None:
            return self.default_prompt
        names = resolve_name(TASKS, task, what="task")
        return next((self.prompts[name] or "" for name in names if name in self.prompts), "")

    def submit(
        self,
        texts: Sequence[str],
        indices: Sequence[int],
        *,
        task: str | None,
        truncate: bool,
        on_progress: Callable[[int], object],
    ) -> Pending[Embedded]:
        """Tokenize here and now, and queue the rest."""
        sequences = self.tokenizer.texts(texts, indices=indices, prompt=self.prompt(task), truncate=truncate)
        tokens = sum(map(len, sequences))

        def finish(result: JobResult) -> Embedded:
            if result.errors:
                index, error = min(
                    ((indices[position], error) for position, error in result.errors.items()), key=itemgetter(0)
                )
                raise BackendError(f"Text {index}: {error.message}") from error
            return result.rows, tokens

        return Pending(self.runner.submit(sequences, on_progress=on_progress), finish)

    def close(self) -> None:
        """Nothing is held but memory, which goes with the object."""


class RemoteModel:
    """A model behind an endpoint; its prompts are the server's concern."""

    context = None
    by_length = False

    def __init__(self, model: HTTPEmbeddingModel) -> None:
        self._model = model
        self._probing = threading.Lock()

    @property
    def width(self) -> int:
        """Dimensions of the vectors; before the first answer, learned by having one word embedded."""
        with self._probing:
            return self._model.width or run_sync(self._model.aprobe())

    @property
    def known_width(self) -> int | None:
        """None before the first answer."""
        return self._model.width

    @property
    def identity(self) -> Identity:
        """The server, how it is spoken to (not every dialect sends a task), and its name for the model."""
        endpoint = self._model.endpoint
        return Identity(f"{endpoint.dialect} {endpoint.base_url!r} {self._model.name!r}", "", "remote")

    def prompt(self, task: str | None) -> str:  # noqa: ARG002 (as in EmbeddingModel)
        """Empty: the server puts it."""
        return ""

    def submit(
        self,
        texts: Sequence[str],
        indices: Sequence[int],
        *,
        task: str | None,
        truncate: bool,
        on_progress: Callable[[int], object],
    ) -> Pending[Embedded]:
        """Send the texts."""
        request = self._model.aembed(texts, task=task, truncate=truncate, indices=indices, on_progress=on_progress)
        return Pending(asyncio.run_coroutine_threadsafe(request, background_loop()), lambda answer: answer)

    def close(self) -> None:
        """Close the connections."""
        self._model.close()
