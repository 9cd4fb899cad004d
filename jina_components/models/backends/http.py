"""Models that run on somebody's server: batches over HTTP, several in flight, answers checked and put in order."""

from __future__ import annotations

import asyncio
import math
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.core.background import run_sync
from jina_components.core.batching import batches
from jina_components.core.component import Component
from jina_components.core.names import resolve_name
from jina_components.errors import (
    BackendError,
    ConfigError,
    HTTPStatusError,
    InputError,
    JinaComponentsError,
    WebError,
)
from jina_components.models.backends.http_answers import in_order, read_count, read_scores, read_vectors
from jina_components.models.endpoint import DIALECTS, Endpoint, Operation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

# Under OpenAI's 300,000 tokens and the 2 MB of text-embeddings-inference, whatever the script.
_REQUEST_CHARACTERS = 100_000
# Of images, unless one alone is more; Jina's servers take 8 MB for each.
_IMAGE_CHARACTERS = 8_000_000
# Positions that an error names.
_MOST_NAMED = 3
# How servers say that a request holds more items than they take.
_TOO_MANY = re.compile(r"batch size|too many|array too long|at most \d+|maximum length|per request", re.IGNORECASE)


class _HTTPModel(Component):
    def __init__(self, name: str, endpoint: Endpoint, operation: Operation) -> None:
        if not isinstance(name, str) or not name:
            raise ConfigError(f"name must say which model of {endpoint.base_url} to use, got {name!r}.")
        self.name = name
        self.endpoint = endpoint
        self._operation = operation
        self._api = endpoint.client()
        self._gates: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}

    async def aclose(self) -> None:
        """Close the connections; the next call opens new ones."""
        await self._api.aclose()

    def close(self) -> None:
        """`aclose`, waited for."""
        run_sync(self.aclose())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.endpoint!r})"

    async def _collect(
        self,
        items: Sequence[str],
        fields: Mapping[str, object],
        *,
        where: Callable[[int, int], str],
        characters: float,
        decode: Callable[[list[object]], NDArray[Any]],
        on_progress: Callable[[int], object] | None = None,
        together: bool = False,
        form: Callable[[str], object] = str,
    ) -> tuple[NDArray[Any] | None, int]:
        """What the server makes of `items`, one row an item in their order (None for none), and tokens.

        `where` words a range of them for errors; `together` sends all in one request; `form` is how they are sent.
        """
        size = self.endpoint.batch_size or self._operation.batch_size
        spans = [(0, len(items))] if together else list(batches(items, size=size, characters=characters))
        waiting, gate = iter(spans), self._gate()
        rows: NDArray[Any] | None = None
        tokens = 0

        async def work() -> None:
            nonlocal rows, tokens
            for start, stop in waiting:
                try:
                    async with gate:
                        answer = await self._post(fields, [form(item) for item in items[start:stop]])
                    batch, used = self._read(answer, stop - start, decode)
                except (WebError, BackendError) as error:
                    raise _located(error, where(start, stop), stop - start) from error.__cause__
                if rows is None:
                    rows = np.empty((len(items), *batch.shape[1:]), batch.dtype)
                rows[start:stop] = batch
                tokens += used
                if on_progress is not None:
                    on_progress(stop - start)

        await _together(work() for _ in range(min(self.endpoint.concurrency, len(spans))))
        return rows, tokens

    def _gate(self) -> asyncio.Semaphore:
        """Lets `concurrency` requests through, those of all calls on the running loop together."""
        for closed in [loop for loop in list(self._gates) if loop.is_closed()]:
            self._gates.pop(closed, None)
        return self._gates.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self.endpoint.concurrency))

    async def _post(self, fields: Mapping[str, object], items: Sequence[object]) -> dict[str, Any]:
        form = self._operation
        return await self._api.post(form.path, {"model": self.name, **form.fields, **fields, form.items: items})

    def _read(
        self, answer: Mapping[str, Any], count: int, decode: Callable[[list[object]], NDArray[Any]]
    ) -> tuple[NDArray[Any], int]:
        try:
            tokens = read_count(DIALECTS[self.endpoint.dialect].tokens(answer))
            return decode(in_order(self._operation.read(answer), count)), tokens
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            raise self._malformed(reason) from error

    def _malformed(self, reason: str) -> BackendError:
        return BackendError(
            f"{self._api.base_url}/{self._operation.path} answered out of form ({reason}): "
            f"check that model {self.name!r} does this there, and the dialect ({self.endpoint.dialect!r})."
        )

    def _truncation(self, truncate: bool) -> Mapping[str, object]:
        choices = self._operation.truncate
        if truncate not in choices:
            raise InputError(
                f"truncate={truncate} cannot be asked for in the {self.endpoint.dialect} dialect. "
                f"{self._operation.truncate_note}; pass truncate={not truncate}."
            )
        return choices[truncate]


class HTTPEmbeddingModel(_HTTPModel):
    """A text embedding model behind an endpoint.

    Safe to use from several threads and event loops; `endpoint.concurrency` holds for each loop. Nothing
    connects before the first call. Pickles as its arguments.

    Args:
        name: The model, as the server knows it.
        endpoint: The server.

    Attributes:
        width: Dimensions of its vectors, or None before the first answer.

    Raises:
        ConfigError: no name.
    """

    def __init__(self, name: str, endpoint: Endpoint) -> None:
        super().__init__(name, endpoint, DIALECTS[endpoint.dialect].embed)
        self.width: int | None = None
        self._learning = threading.Lock()

    async def aprobe(self) -> int:
        """Dimensions of the vectors, learned by having one word embedded.

        Raises:
            WebError, BackendError: the request failed.
        """
        task = "retrieval.query"  # the one task that every dialect has
        rows, _ = await self._collect(
            ["width"],
            {**self._task(task), **self._truncation(False)},
            where=lambda _start, _stop: "One word, sent to learn the width of the vectors",
            characters=_REQUEST_CHARACTERS,
            decode=self._rows,
        )
        return 0 if rows is None else int(rows.shape[1])

    async def aembed(
        self,
        texts: Sequence[str],
        *,
        task: str | None = None,
        truncate: bool = False,
        indices: Sequence[int] | None = None,
        late_chunking: bool = False,
        on_progress: Callable[[int], object] | None = None,
    ) -> tuple[FloatArray, int]:
        """Vectors of texts as the server sends them, and the input tokens it reports (0 if it does not).

        The vectors have the model's full width: no `dimensions` is asked for, since a cut can be made here.
        Whether they have unit length is the server's choice; most do.

        Args:
            texts: The texts, none of them blank. They go in requests of at most `endpoint.batch_size` texts and
                100,000 characters, unless one text alone is longer.
            task: What the texts are for, by the names of `DIALECTS[...].tasks`. OpenAI's models embed queries
                and passages alike, so in that dialect these two change nothing, and a model that wants prompts
                needs them in the texts. Cohere requires a task.
            truncate: Cut texts to the model's context. False lets the server refuse them; the OpenAI dialect
                knows only that.
            indices: Positions of the texts in the caller's list, for errors; 0 onwards if None.
            late_chunking: The texts are consecutive chunks of one document; all go in one request.
            on_progress: Called on the event loop with the number of texts just finished.

        Returns:
            float32, shape [len(texts), width], in the order of the texts, and the tokens. Without texts the
            shape is [0, 0] and nothing is sent.

        Raises:
            UnknownNameError: the dialect has no such task.
            InputError: the dialect needs a task, or cannot truncate, or knows no late chunking.
            WebError: the first request that failed, which cancels the others; says which texts were in it.
            BackendError: an answer with too few vectors, of another width than any before, NaN, or otherwise
                out of form.
        """
        fields = {**self._task(task), **self._truncation(truncate)}
        if late_chunking:
            if self._operation.late_chunking is None:
                raise InputError(f"Servers of the {self.endpoint.dialect} dialect know no late chunking.")
            fields |= self._operation.late_chunking
        rows, tokens = await self._collect(
            texts,
            fields,
            where=partial(_positions, "texts", range(len(texts)) if indices is None else indices),
            characters=_REQUEST_CHARACTERS,
            decode=self._rows,
            on_progress=on_progress,
            together=late_chunking,
        )
        return np.empty((0, 0), np.float32) if rows is None else rows, tokens

    async def aembed_images(
        self,
        urls: Sequence[str],
        *,
        task: str | None = None,
        indices: Sequence[int],
        on_progress: Callable[[int], object],
    ) -> tuple[FloatArray, int]:
        """`aembed` of images, by their URLs, which the server fetches, or as `data:` URIs.

        Raises:
            ConfigError: the dialect sends no images.
            WebError, BackendError: as `aembed`.
        """
        if self._operation.image is None:
            able = ", ".join(sorted(name for name, dialect in DIALECTS.items() if dialect.embed.image))
            raise ConfigError(f"No images are sent in the {self.endpoint.dialect} dialect; set one of: {able}.")
        rows, tokens = await self._collect(
            urls,
            self._task(task),
            where=partial(_positions, "inputs", indices),
            characters=_IMAGE_CHARACTERS,
            decode=self._rows,
            on_progress=on_progress,
            form=self._operation.image,
        )
        return np.empty((0, 0), np.float32) if rows is None else rows, tokens

    def _rows(self, values: list[object]) -> NDArray[np.float32]:
        rows = read_vectors(values)
        width = rows.shape[1]
        with self._learning:
            if self.width is None:
                self.width = width
        if width != self.width:
            raise ValueError(f"vectors of width {width} after others of width {self.width}")
        return rows

    def _task(self, task: str | None) -> Mapping[str, object]:
        name = self.endpoint.dialect
        dialect = DIALECTS[name]
        if task is not None:
            return resolve_name(dialect.tasks, task, what=f"task of the {name} dialect")
        if dialect.needs_task:
            raise InputError(f"The {name} dialect needs a task: pass one of {', '.join(sorted(dialect.tasks))}.")
        return {}


class HTTPReranker(_HTTPModel):
    """A reranking model behind an endpoint.

    More than `endpoint.batch_size` documents (default 1,000) are scored in several requests. The scores of a
    pointwise model, such as a cross-encoder, do not depend on that. A listwise model (jina-reranker-v3)
    compares the documents of a request with each other: for one of these, `batch_size` must be no less than
    the number of documents.

    Safe to use from several threads and event loops; `endpoint.concurrency` holds for each loop. Nothing
    connects before the first call. Pickles as its arguments.

    Args:
        name: The model, as the server knows it.
        endpoint: The server; the OpenAI dialect has no reranking.

    Raises:
        ConfigError: no name, or a dialect without reranking.
    """

    def __init__(self, name: str, endpoint: Endpoint) -> None:
        operation = DIALECTS[endpoint.dialect].rerank
        if operation is None:
            able = ", ".join(sorted(name for name, dialect in DIALECTS.items() if dialect.rerank))
            raise ConfigError(f"The {endpoint.dialect} dialect has no reranking; set one of: {able}.")
        super().__init__(name, endpoint, operation)

    async def ascore(
        self, query: str, documents: Sequence[str], *, truncate: bool = False
    ) -> tuple[NDArray[np.float64], int]:
        """Scores of documents for a query, and the input tokens the server reports (0 if it does not).

        Args:
            query: What is asked.
            documents: The documents, none of them blank.
            truncate: Cut documents to the model's context; False lets the server refuse them. Cohere cuts them
                either way.

        Returns:
            float64, shape [len(documents)], in the order of the documents, on the model's own scale; and the
            tokens. Without documents nothing is sent.

        Raises:
            InputError: the dialect knows no such `truncate`.
            WebError: the first request that failed, which cancels the others; says which documents were in it.
            BackendError: an answer with too few scores, NaN, or otherwise out of form.
        """
        fields = {"query": query, **self._truncation(truncate)}
        scores, tokens = await self._collect(
            documents,
            fields,
            where=partial(_positions, "documents", range(len(documents))),
            characters=math.inf,
            decode=read_scores,
        )
        return np.empty(0, np.float64) if scores is None else scores, tokens


def _positions(what: str, indices: Sequence[int], start: int, stop: int) -> str:
    """Which of the caller's items a request held: `texts[4:6]`, or some of them where others lie between."""
    held = indices[start:stop]
    if held[-1] - held[0] == len(held) - 1:
        return f"{what}[{held[0]}:{held[-1] + 1}]"
    named = ", ".join(map(str, held[:_MOST_NAMED]))
    more = f" and {len(held) - _MOST_NAMED} more" if len(held) > _MOST_NAMED else ""
    return f"{what}[{named}{more}]"


def _located(error: WebError | BackendError, where: str, count: int) -> JinaComponentsError:
    """The same error, saying which items it is about, and what helps when they are too many."""
    message = f"{where}: {error.message}"
    if count > 1 and isinstance(error, HTTPStatusError) and _asks_too_much(error):
        message += f" If {count} items are too many for one request, set a smaller batch_size."
    return type(error)(message, *error.args[1:])


async def _together(work: Iterable[Any]) -> None:
    """Run coroutines until all end; the first failure cancels the others and is raised by itself."""
    failures: Sequence[BaseException] = ()
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in work:
                group.create_task(coroutine)
    except BaseExceptionGroup as several:
        failures = several.exceptions
    if failures:  # raised out here, where the group does not become its context
        raise failures[0]


def _asks_too_much(error: HTTPStatusError) -> bool:
    return error.status_code == 413 or (error.status_code in (400, 422) and bool(_TOO_MANY.search(error.message)))
