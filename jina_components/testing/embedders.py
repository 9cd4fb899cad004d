"""The contract of an embedder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.core.background import run_sync
from jina_components.core.vectors import normalize
from jina_components.protocols import SupportsEmbed
from jina_components.testing.assertions import (
    TEXTS,
    in_threads,
    pickled,
    require,
    require_close,
    require_input_error,
)

if TYPE_CHECKING:
    from jina_components.types import FloatArray


def check_embedder(embedder: SupportsEmbed, *, tolerance: float = 1e-4) -> None:
    """Check that an embedder behaves as every component expects.

    Shapes and float32, empty list, refused inputs, a text's vector independent of batch, order and
    neighbours, queries and documents in one space, equal async twins (when it has them), pickling, and
    calls from many threads at once.

    Args:
        embedder: Anything with `embed_query` and `embed_documents`.
        tolerance: Largest difference between two vectors of one text.

    Raises:
        AssertionError: the first broken rule, in words.
    """
    require(isinstance(embedder, SupportsEmbed), f"{embedder!r} lacks embed_query or embed_documents.")
    vectors = embedder.embed_documents(list(TEXTS))
    _check_shapes(embedder, vectors)
    _check_refusals(embedder)
    _check_one_space(embedder, vectors)
    _check_independence(embedder, vectors, tolerance)
    _check_async_twins(embedder, vectors, tolerance)
    _check_pickling(embedder, vectors, tolerance)
    _check_threads(embedder, vectors, tolerance)


def _check_shapes(embedder: SupportsEmbed, vectors: FloatArray) -> None:
    require(isinstance(vectors, np.ndarray), f"embed_documents returned {type(vectors).__name__}, no array.")
    require(vectors.dtype == np.float32, f"embed_documents returned {vectors.dtype}, expected float32.")
    require(
        vectors.ndim == 2 and len(vectors) == len(TEXTS),
        f"embed_documents of {len(TEXTS)} texts returned shape {vectors.shape}.",
    )
    require(np.isfinite(vectors).all(), "embed_documents returned NaN or infinity.")
    query = embedder.embed_query(TEXTS[0])
    require(query.dtype == np.float32, f"embed_query returned {query.dtype}, expected float32.")
    width = vectors.shape[1]
    require(query.shape == (width,), f"embed_query returned shape {query.shape}, expected ({width},).")
    empty = embedder.embed_documents([])
    require(
        empty.shape == (0, width) and empty.dtype == np.float32,
        f"embed_documents([]) returned {empty.dtype}, shape {empty.shape}; expected float32, (0, {width}).",
    )


def _check_refusals(embedder: SupportsEmbed) -> None:
    wrong: Any = "a bare string"
    require_input_error(lambda: embedder.embed_documents(wrong), "embed_documents('a bare string')")
    require_input_error(lambda: embedder.embed_documents(["fine", " \n"]), "a blank text", index=1)
    items: Any = ["fine", "fine", 3]
    require_input_error(lambda: embedder.embed_documents(items), "a number among texts", index=2)
    require_input_error(lambda: embedder.embed_query(""), "embed_query('')")
    listed: Any = ["a list"]
    require_input_error(lambda: embedder.embed_query(listed), "embed_query of a list")


def _check_independence(embedder: SupportsEmbed, vectors: FloatArray, tolerance: float) -> None:
    alone = np.concatenate([embedder.embed_documents([text]) for text in TEXTS])
    require_close(alone, vectors, tolerance, "texts embedded one by one instead of together")
    backwards = embedder.embed_documents(list(reversed(TEXTS)))[::-1]
    require_close(backwards, vectors, tolerance, "texts embedded in another order")
    doubled = embedder.embed_documents([*TEXTS, *TEXTS])
    require_close(doubled, np.concatenate([vectors, vectors]), tolerance, "a larger batch")
    require_close(embedder.embed_documents(tuple(TEXTS)), vectors, tolerance, "a tuple instead of a list")


def _check_one_space(embedder: SupportsEmbed, vectors: FloatArray) -> None:
    documents = normalize(vectors)
    for index, text in enumerate(TEXTS):
        nearest = int((documents @ embedder.embed_query(text)).argmax())
        require(nearest == index, f"The query {text[:40]!r} is nearest to the document {TEXTS[nearest][:40]!r}.")


def _check_async_twins(embedder: SupportsEmbed, vectors: FloatArray, tolerance: float) -> None:
    twin: Any = embedder
    if hasattr(twin, "aembed_documents"):
        got = run_sync(twin.aembed_documents(list(TEXTS)))
        require_close(got, vectors, tolerance, "aembed_documents against embed_documents")
    if hasattr(twin, "aembed_query"):
        query = run_sync(twin.aembed_query(TEXTS[0]))
        require_close(query, embedder.embed_query(TEXTS[0]), tolerance, "aembed_query against embed_query")


def _check_pickling(embedder: SupportsEmbed, vectors: FloatArray, tolerance: float) -> None:
    with pickled(embedder) as copy:
        require_close(copy.embed_documents(list(TEXTS)), vectors, tolerance, "vectors after pickling")


def _check_threads(embedder: SupportsEmbed, vectors: FloatArray, tolerance: float) -> None:
    queries = [embedder.embed_query(text) for text in TEXTS]

    def work(number: int) -> tuple[FloatArray, FloatArray]:
        text = TEXTS[number % len(TEXTS)]
        return embedder.embed_documents([text])[0], embedder.embed_query(text)

    for number, (document, query) in enumerate(in_threads(work, 6 * len(TEXTS))):
        index = number % len(TEXTS)
        require_close(document, vectors[index], tolerance, "embed_documents from many threads")
        require_close(query, queries[index], tolerance, "embed_query from many threads")
