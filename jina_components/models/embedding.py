"""Embedding models behind one face: those that run here, and those that run on somebody's server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from jina_components.core.background import background_loop, run_sync
from jina_components.core.image_urls import image_url
from jina_components.core.inputs import at_index
from jina_components.core.names import resolve_name
from jina_components.errors import BackendError, ConfigError, InputError
from jina_components.models.pending import Pending

if TYPE_CHECKING:
    from jina_components.models.backends.http import HTTPEmbeddingModel
    from jina_components.models.multi_vector import MultiVectorModel
    from jina_components.models.picturing import ImageSide
    from jina_components.models.runner import JobResult, ModelRunner
    from jina_components.models.tokenize import TextTokenizer
    from jina_components.types import FloatArray, Image

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
        late_chunking: bool,
        on_progress: Callable[[int], object],
    ) -> Pending[Embedded]:
        """Begin to embed texts; `indices` are those of the caller's list, for errors.

        With `late_chunking` the texts are consecutive chunks of one document, and all of it.

        Raises:
            InputError: a text that the model does not take.
            ConfigError: no late chunking as the model runs.
        """
        ...

    def submit_images(
        self, images: Sequence[Image], indices: Sequence[int], *, task: str | None, on_progress: Callable[[int], object]
    ) -> Pending[Embedded]:
        """Begin to embed images, likewise.

        Raises:
            ConfigError: it takes texts alone.
        """
        ...

    def close(self) -> None:
        """Give memory and connections back."""
        ...


@dataclass(frozen=True)
class Tasks:
    """What tasks mean for a model: the text before an input, and the adapter it runs with.

    Attributes:
        prompts: By task, or by the names that folders use.
        adapters: Numbers by task, or by the names that checkpoints use.
        default_prompt: Without a task.
        default: The task when none is asked for, or empty.
        own: Tasks that may be asked for beside those of TASKS.
    """

    prompts: Mapping[str, str]
    adapters: Mapping[str, int]
    default_prompt: str = ""
    default: str = ""
    own: tuple[str, ...] = ()

    def prompt(self, task: str | None) -> str:
        """The prompt that the model was trained with for a task, or empty.

        Raises:
            UnknownNameError: no such task.
        """
        names = self._names(task)
        return next(
            (self.prompts[name] or "" for name in names if name in self.prompts), "" if names else self.default_prompt
        )

    def adapter(self, task: str | None) -> int:
        """The number of the adapter for a task, -1 for none; raises as `prompt`."""
        names = [*self._names(task), *(name.partition(".")[0] for name in self._names(task)[:1])]
        return next((self.adapters[name] for name in names if name in self.adapters), -1)

    def _names(self, task: str | None) -> Sequence[str]:
        task = task or self.default
        if not task:
            return ()
        return resolve_name({name: (name,) for name in self.own} | TASKS, task, what="task")


@dataclass(frozen=True)
class LocalModel:
    """A model in this process.

    Attributes:
        tokenizer: Of the model.
        runner: Its owner thread.
        tasks: What it does for a task.
        identity: What determines its vectors.
        takes_spans: Whether it pools parts of a text by their mean, as late chunking needs.
        images: What embeds images, or None.
        tokens: What gives the tokens of texts their own vectors, or None.
        trained_length: Tokens that windows of late chunking are filled up to; None for the context.
    """

    tokenizer: TextTokenizer
    runner: ModelRunner
    tasks: Tasks
    identity: Identity
    takes_spans: bool
    images: ImageSide | None = None
    tokens: MultiVectorModel | None = None
    trained_length: int | None = None

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
        return self.tasks.prompt(task)

    def submit(
        self,
        texts: Sequence[str],
        indices: Sequence[int],
        *,
        task: str | None,
        truncate: bool,
        late_chunking: bool,
        on_progress: Callable[[int], object],
    ) -> Pending[Embedded]:
        """Tokenize here and now, and queue the rest."""
        prompt, adapter = self.tasks.prompt(task), self.tasks.adapter(task)
        if late_chunking:
            if not self.takes_spans:
                raise ConfigError(
                    f"{self.identity.name!r} cannot do late chunking as it runs: that takes a transformer with mean "
                    "pooling and backend='torch'."
                )
            sequences = self.tokenizer.together(
                texts, prompt=prompt, adapter=adapter, truncate=truncate, length=self.trained_length
            )
        else:
            sequences = self.tokenizer.texts(texts, indices=indices, prompt=prompt, adapter=adapter, truncate=truncate)
        tokens = sum(map(len, sequences))

        def finish(result: JobResult) -> Embedded:
            if result.errors:
                position = min(result.errors, key=lambda position: indices[position])
                where = "The document" if late_chunking else f"inputs[{indices[position]}]"
                error = result.errors[position]
                raise BackendError(f"{where}: {error.message}") from error
            if late_chunking:
                on_progress(len(texts))
            return result.rows, tokens

        return Pending(self.runner.submit(sequences, on_progress=None if late_chunking else on_progress), finish)

    def submit_images(
        self, images: Sequence[Image], indices: Sequence[int], *, task: str | None, on_progress: Callable[[int], object]
    ) -> Pending[Embedded]:
        """Fetch and decode in the background, and queue."""
        if self.images is None:
            raise ConfigError(f"{self.identity.name!r} takes texts alone; jina-clip-v2 is one that takes images too.")
        return self.images.submit(images, indices, adapter=self.tasks.adapter(task), on_progress=on_progress)

    def spelled(self, texts: Sequence[str], *, task: str, truncate: bool) -> list[list[str]]:
        """The tokens of texts that have vectors of their own, spelled; raises what embedding them raises.

        Raises:
            ConfigError: it gives none.
        """
        if self.tokens is None:
            raise ConfigError(f"{self.identity.name!r} gives no vectors of tokens.")
        sequences = self.tokens.sequences(texts, indices=range(len(texts)), task=task, truncate=truncate)
        return [self.tokenizer.spelled(sequence.ids) for sequence in sequences]

    def close(self) -> None:
        """Connections for images; what else is held is memory, which goes with the object."""
        for side in (self.images, self.tokens):
            if side is not None:
                side.close()


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
        late_chunking: bool,
        on_progress: Callable[[int], object],
    ) -> Pending[Embedded]:
        """Send the texts."""
        request = self._model.aembed(
            texts, task=task, truncate=truncate, late_chunking=late_chunking, indices=indices, on_progress=on_progress
        )
        return Pending(asyncio.run_coroutine_threadsafe(request, background_loop()), lambda answer: answer)

    def submit_images(
        self, images: Sequence[Image], indices: Sequence[int], *, task: str | None, on_progress: Callable[[int], object]
    ) -> Pending[Embedded]:
        """Read files in the background, and send the images."""

        async def request() -> Embedded:
            urls = await asyncio.to_thread(_urls, images, indices)
            return await self._model.aembed_images(urls, task=task, indices=indices, on_progress=on_progress)

        return Pending(asyncio.run_coroutine_threadsafe(request(), background_loop()), lambda answer: answer)

    def close(self) -> None:
        """Close the connections."""
        self._model.close()


def _urls(images: Sequence[Image], indices: Sequence[int]) -> list[str]:
    return [_url(image, index) for image, index in zip(images, indices, strict=True)]


def _url(image: Image, index: int) -> str:
    try:
        return image_url(image)
    except InputError as error:
        raise at_index(error, index, what="inputs") from error
