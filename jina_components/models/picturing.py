"""Images into vectors of the space of a model's texts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from jina_components.core.background import background_loop, run_sync
from jina_components.errors import BackendError
from jina_components.models.pending import Pending
from jina_components.models.sequences import ModelInput

if TYPE_CHECKING:
    from jina_components.models.embedding import Embedded
    from jina_components.models.runner import ModelRunner
    from jina_components.net import Fetcher
    from jina_components.types import Image


class PreparedImage(ModelInput, Protocol):
    """An image as a model takes it."""

    @property
    def cost(self) -> int:
        """Tokens that it counts as."""
        ...


@dataclass(frozen=True)
class ImageSide:
    """What embeds images.

    Attributes:
        prepare: An RGB image of Pillow's as the model takes it, for the number of an adapter.
        runner: The owner thread of the vision model.
        fetcher: Of images behind URLs.
    """

    prepare: Callable[[Any, int], PreparedImage]
    runner: ModelRunner
    fetcher: Fetcher

    def submit(
        self, images: Sequence[Image], indices: Sequence[int], *, adapter: int, on_progress: Callable[[int], object]
    ) -> Pending[Embedded]:
        """Begin to fetch, prepare and embed images; `indices` are those of the caller's list, for errors."""
        work = self._embed(images, indices, adapter, on_progress)
        return Pending(asyncio.run_coroutine_threadsafe(work, background_loop()), lambda answer: answer)

    async def _embed(
        self, images: Sequence[Image], indices: Sequence[int], adapter: int, on_progress: Callable[[int], object]
    ) -> Embedded:
        from jina_components.models.images import aload_images

        prepared = await aload_images(
            images, process=lambda picture: self.prepare(picture, adapter), fetcher=self.fetcher, indices=indices
        )
        result = await asyncio.wrap_future(self.runner.submit(prepared, on_progress=on_progress))
        if result.errors:
            position = min(result.errors)
            error = result.errors[position]
            raise BackendError(f"Image {indices[position]}: {error.message}") from error
        return result.rows, sum(image.cost for image in prepared)

    def close(self) -> None:
        """Close the connections."""
        run_sync(self.fetcher.aclose())
