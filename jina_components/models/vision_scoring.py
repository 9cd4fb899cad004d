"""Scores of texts and images against a query that is a text or an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from jina_components.core.background import run_sync
from jina_components.errors import JinaComponentsError
from jina_components.models.chunks import Chunks, DistinctChunks, best_rows, chunk_errors, count_tokens, distinct_chunks
from jina_components.models.patches import Patches, PatchProcessor
from jina_components.models.pending import Pending
from jina_components.models.picturing import ImageFetcher
from jina_components.models.runner import JobResult, ModelRunner
from jina_components.models.scoring import Limits, Scores, sigmoid
from jina_components.models.sequences import TokenSequence
from jina_components.models.vision_prompts import PairPrompts
from jina_components.types import Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from jina_components.models.images import Reason

# What jina-reranker-m0 takes off its logits before the sigmoid.
_LOGIT_MEAN = 2.65


@runtime_checkable
class ScoresImages(Protocol):
    """A scorer that takes images too."""

    def submit_mixed(self, query: str | Image, documents: Sequence[str | Image], *, truncate: bool) -> Pending[Scores]:
        """Begin to score; an image that cannot be read is among the errors of the scores, its score NaN.

        Raises:
            InputError, WebError: the query's image cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class VisionCrossEncoder:
    """Scores pairs of texts and images, or the best of each text's chunks.

    Attributes:
        prompts: Of pairs.
        processor: Of images.
        runner: The model's owner thread.
        limits: Tokens kept of texts.
        fetcher: Of images.
    """

    prompts: PairPrompts
    processor: PatchProcessor
    runner: ModelRunner
    limits: Limits
    fetcher: ImageFetcher = field(default_factory=ImageFetcher)

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> Pending[Scores]:
        """Tokenize here and now, and queue the rest."""
        return self.submit_mixed(query, texts, truncate=truncate)

    def submit_mixed(self, query: str | Image, documents: Sequence[str | Image], *, truncate: bool) -> Pending[Scores]:
        """Fetch images and tokenize here and now, and queue the rest."""
        images = [item for item in (query, *documents) if isinstance(item, Image)]
        loaded = iter(_load_all(images, self.processor, self.fetcher) if images else ())
        sides = [next(loaded) if isinstance(item, Image) else item for item in (query, *documents)]
        if isinstance(sides[0], JinaComponentsError):
            raise sides[0]
        unread = {index: side for index, side in enumerate(sides[1:]) if isinstance(side, JinaComponentsError)}
        good = [side for side in sides[1:] if not isinstance(side, JinaComponentsError)]
        pairs = iter(
            self.prompts.pairs(
                sides[0],
                good,
                truncate=truncate,
                max_query_length=self.limits.query,
                max_document_length=self.limits.document,
            )
        )
        chunks: list[list[TokenSequence]] = [[] if index in unread else next(pairs) for index in range(len(documents))]
        distinct = distinct_chunks(chunks)
        return Pending(self.runner.submit(list(distinct.values())), partial(self._finish, chunks, distinct, unread))

    def _finish(
        self,
        chunks: Chunks,
        distinct: DistinctChunks,
        unread: Mapping[int, JinaComponentsError],
        result: JobResult,
    ) -> Scores:
        errors = chunk_errors(chunks, distinct, result)
        raw = best_rows(chunks, distinct, result.rows[:, 0])
        raw[[*errors]] = np.nan
        return Scores(raw, count_tokens(distinct), {**errors, **unread})

    def scale(self, raw: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """The sigmoid of a logit less its mean."""
        return sigmoid(raw.astype(np.float64) - _LOGIT_MEAN)

    def close(self) -> None:
        """Close the connections; what else is held is memory, which goes with the object."""
        self.fetcher.close()


def _load_all(images: Sequence[Image], processor: PatchProcessor, fetcher: ImageFetcher) -> list[Patches | Reason]:
    """Each image, or what is wrong with it."""
    from jina_components.models.images import atry_images

    return run_sync(atry_images(images, process=processor, fetcher=fetcher.get()))
