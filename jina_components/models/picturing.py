"""Images into vectors of the space of a model's texts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from jina_components.core.background import background_loop, run_sync
from jina_components.errors import BackendError
from jina_components.models.pending import Pending
from jina_components.models.sequences import ModelInput, split_rows

if TYPE_CHECKING:
    from concurrent.futures import Future

    from jina_components.models.embedding import Embedded
    from jina_components.models.multi_vector import TokenVectors
    from jina_components.models.runner import ModelRunner
    from jina_components.net import Fetcher
    from jina_components.types import FloatArray, Image


class PreparedImage(ModelInput, Protocol):
    """An image as a model takes it."""

    @property
    def cost(self) -> int:
        """Tokens that it counts as."""
        ...


class VisionModel(NamedTuple):
    """What runs images.

    Attributes:
        prepare: Of an RGB image of Pillow's and the number of an adapter: what the model takes.
        runner: The owner thread.
    """

    prepare: Callable[[Any, int], PreparedImage]
    runner: ModelRunner


class ImageFetcher:
    """What fetches images: the caller's fetcher, or one of its own that reaches public addresses only.

    Args:
        given: The caller's, which stays open; None for an own one, made when it is needed first.
    """

    def __init__(self, given: Fetcher | None = None) -> None:
        self._given = given
        self._own: Fetcher | None = None
        self._lock = threading.Lock()

    def get(self) -> Fetcher:
        """The one that it is."""
        from jina_components.models.images import MAX_BYTES
        from jina_components.net import Fetcher

        with self._lock:
            if self._given is None and self._own is None:
                self._own = Fetcher(max_bytes=MAX_BYTES)
            return self._given or self._own  # type: ignore[return-value]

    def close(self) -> None:
        """Close the connections of an own one; the next use opens new ones."""
        with self._lock:
            own, self._own = self._own, None
        if own is not None:
            run_sync(own.aclose())


class ImageSide:
    """The part of a model that embeds images; loaded with the first.

    Args:
        load: Loads it.
        fetcher: Fetches images; None for one of the usual guard.
    """

    def __init__(self, load: Callable[[], VisionModel], *, fetcher: Fetcher | None = None) -> None:
        self._load = load
        self._fetcher = ImageFetcher(fetcher)
        self._loaded: VisionModel | None = None
        self._loading = threading.Lock()

    def submit(
        self, images: Sequence[Image], indices: Sequence[int], *, adapter: int, on_progress: Callable[[int], object]
    ) -> Pending[Embedded]:
        """Begin to fetch, prepare and embed images; `indices` are those of the caller's list, for errors."""
        return Pending(
            self._start(images, indices, adapter, on_progress),
            lambda answer: (answer[0], sum(image.cost for image in answer[1])),
        )

    def submit_tokens(
        self, images: Sequence[Image], indices: Sequence[int], *, adapter: int, on_progress: Callable[[int], object]
    ) -> Pending[TokenVectors]:
        """`submit` for a vector a token."""
        return Pending(
            self._start(images, indices, adapter, on_progress),
            lambda answer: (split_rows(*answer), sum(image.cost for image in answer[1])),
        )

    def _start(
        self, images: Sequence[Image], indices: Sequence[int], adapter: int, on_progress: Callable[[int], object]
    ) -> Future[tuple[FloatArray, list[PreparedImage]]]:
        work = _embed(self._ready(), self._fetcher.get(), images, indices, adapter, on_progress)
        return asyncio.run_coroutine_threadsafe(work, background_loop())

    def _ready(self) -> VisionModel:
        with self._loading:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def close(self) -> None:
        """Close the connections, and let the model go."""
        with self._loading:
            self._loaded = None
        self._fetcher.close()


async def _embed(
    model: VisionModel,
    fetcher: Fetcher,
    images: Sequence[Image],
    indices: Sequence[int],
    adapter: int,
    on_progress: Callable[[int], object],
) -> tuple[FloatArray, list[PreparedImage]]:
    """The rows, and the images as they ran."""
    from jina_components.models.images import aload_images

    prepared = await aload_images(
        images, process=lambda picture: model.prepare(picture, adapter), fetcher=fetcher, indices=indices
    )
    result = await asyncio.wrap_future(model.runner.submit(prepared, on_progress=on_progress))
    if result.errors:
        position = min(result.errors)
        error = result.errors[position]
        raise BackendError(f"inputs[{indices[position]}]: {error.message}") from error
    return result.rows, prepared
