"""Tools that compare texts and images."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.service.mcp.arguments import ClassifyText, DeduplicateImages, DeduplicateStrings, SortByRelevance
from jina_components.service.mcp.client import ToolError
from jina_components.service.mcp.results import Content, images, text
from jina_components.service.mcp.visit import Visit

if TYPE_CHECKING:
    from jina_components.types import FloatArray

_SIDE = 800
# Inputs of a request.
_TOGETHER = 256
# What one more must add, in items that nothing chosen resembles: less, and it repeats another one.
_LEAST_GAIN = 0.1


async def sort_by_relevance(given: SortByRelevance, visit: Visit) -> list[Content]:
    """Documents by what they have to do with a query, best first."""
    body = {
        "model": await visit.model("reranker"),
        "query": given.query,
        "documents": given.documents,
        "top_n": given.top_n or len(given.documents),
        "truncation": True,
    }
    return [text(result) for result in (await visit.api.post("/v1/rerank", body))["results"]]


async def classify_text(given: ClassifyText, visit: Visit) -> list[Content]:
    """The label of each text."""
    model = given.model or await visit.model("embedder")
    body = {"model": model, "input": given.texts, "labels": given.labels}
    return [text(result) for result in (await visit.api.post("/v1/classify", body))["data"]]


async def deduplicate_strings(given: DeduplicateStrings, visit: Visit) -> list[Content]:
    """The strings that say different things."""
    task = (await visit.models()).task
    kept = await _kept(given.strings, given.k, visit, model=await visit.model("embedder"), task=task)
    return [text({"index": index, "text": given.strings[index]}) for index in kept]


async def deduplicate_images(given: DeduplicateImages, visit: Visit) -> list[Content]:
    """The images that show different things, each after its place among those given."""
    inputs = [{"image": image} for image in given.images]
    kept = await _kept(inputs, given.k, visit, model=await visit.model("image_embedder"))
    sources = [_source(given.images[index]) for index in kept]
    drawn = await images(sources, visit.fetcher(), width=_SIDE, height=_SIDE)
    shown: list[Content] = []
    for index, picture in zip(kept, drawn, strict=True):
        shown += [text({"index": index})]
        shown += [text(f"It cannot be shown: {picture}") if isinstance(picture, Exception) else picture]
    return shown


def _source(image: str) -> str | bytes:
    return image if image.startswith(("http://", "https://", "data:")) else base64.b64decode(image)


async def _kept(
    inputs: Sequence[Any], k: int | None, visit: Visit, *, model: str, task: str | None = None
) -> list[int]:
    if k is not None and k > len(inputs):
        raise ToolError(f"k must be at most {len(inputs)}, the number of those given; got {k}.")
    coded: list[str] = []
    for start in range(0, len(inputs), _TOGETHER):
        body = {"model": model, "input": inputs[start : start + _TOGETHER], "task": task, "embedding_type": "base64"}
        answer = await visit.api.post("/v1/embeddings", {**body, "truncate": True})
        coded += [item["embedding"] for item in answer["data"]]
        await visit.progress(len(coded), len(inputs))
    vectors = np.stack([np.frombuffer(base64.b64decode(each), "<f4") for each in coded])
    return await asyncio.to_thread(diverse, vectors, k)


def diverse(vectors: FloatArray, k: int | None = None) -> list[int]:
    """Places of those to whose nearest all vectors are nearest together, the most telling one first.

    Facility location, chosen greedily (Nemhauser, Wolsey and Fisher 1978).

    Args:
        vectors: Of length 1; shape [number, dimensions], at least one.
        k: How many; None for as many as add something.
    """
    similarity = np.maximum(vectors @ vectors.T, 0.0)
    covered = np.zeros(len(vectors), np.float32)
    chosen: list[int] = []
    while len(chosen) < (len(vectors) if k is None else k):
        gains = np.maximum(similarity - covered, 0.0).sum(axis=1)
        gains[chosen] = -1.0
        best = int(gains.argmax())
        if k is None and chosen and gains[best] < _LEAST_GAIN:
            break
        chosen.append(best)
        np.maximum(covered, similarity[best], out=covered)
    return chosen
