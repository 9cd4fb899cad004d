"""Our embedders and rerankers as models of MTEB (https://github.com/embeddings-benchmark/mteb), 2.x.

Needs `pip install 'jina-components[mteb]'`. A benchmark of MTEB's runs on any of ours:

    import mteb
    from jina_components.mteb import MTEBEncoder
    result = mteb.evaluate(MTEBEncoder(Embedder()), mteb.get_tasks(["SciFact"]))
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.core.vectors import normalize
from jina_components.embedder import Embedder
from jina_components.errors import MissingDependencyError
from jina_components.models.catalog import BY_NAME
from jina_components.models.files import bundled_path
from jina_components.models.fingerprint import fingerprint
from jina_components.protocols import SupportsRerank

try:
    from mteb.models.model_meta import ModelMeta, ScoringFunction
except ImportError as error:
    raise MissingDependencyError("MTEB's tasks need mteb: pip install 'jina-components[mteb]'.") from error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

# A batch of a torch DataLoader: columns by name; "text" holds the title too.
Batches = Iterable[Mapping[str, Any]]

_ROLES = {"query": "retrieval.query", "document": "retrieval.passage"}
# What a text without a role is embedded for, by the kind of MTEB's task; kinds that are not here have no task of ours.
_TASKS = {
    "BitextMining": "text-matching",
    "Classification": "classification",
    "Clustering": "separation",
    "MultilabelClassification": "classification",
    "PairClassification": "text-matching",
    "Regression": "classification",
    "STS": "text-matching",
    "Summarization": "text-matching",
    "ZeroShotClassification": "classification",
}


class MTEBEncoder:
    """An embedder in MTEB's `EncoderProtocol`.

    Queries and documents are embedded as `embed_query` and `embed_documents` do, other texts for the task that
    MTEB's kind of task stands for. Texts over the context are cut; a blank text gets zeros.

    Args:
        embedder: Any embedder.
        revision: What MTEB keeps results by, beside the name: give your own where the embedder's settings (precision,
            dimensions) are part of what is measured. None for the pinned commit, or a digest of a folder's files.

    Example:
        >>> from jina_components import Embedder
        >>> MTEBEncoder(Embedder("static-minilm-v1")).mteb_model_meta.name
        'jina-components/static-minilm-v1'
    """

    def __init__(self, embedder: Embedder, *, revision: str | None = None) -> None:
        self.embedder = embedder
        self._revision = revision

    @cached_property
    def mteb_model_meta(self) -> ModelMeta:
        """What MTEB files results under."""
        return _meta(self.embedder.name, self._revision, "dense", ScoringFunction.COSINE)

    def encode(
        self,
        inputs: Batches,
        *,
        task_metadata: Any,  # noqa: ANN401 (MTEB's, of which the kind is read)
        prompt_type: str | None = None,
        **rest: object,
    ) -> FloatArray:
        """Unit vectors of the texts of all batches, shape [texts, dimensions]; raises what `Embedder.embed` raises.

        Args:
            inputs: Batches with a column "text".
            task_metadata: MTEB's, of the task.
            prompt_type: "query", "document" or None.
            rest: What else MTEB passes; `show_progress_bar` is used.
        """
        texts = _texts(inputs)
        task = _TASKS.get(task_metadata.type) if prompt_type is None else _ROLES[prompt_type]
        rows = [row for row, text in enumerate(texts) if text.strip()]
        show = bool(rest.get("show_progress_bar", False))
        kept = [texts[row] for row in rows]
        found = self.embedder.embed(kept, task=task, truncate=True, show_progress=show).vectors
        vectors = np.zeros((len(texts), found.shape[1]), np.float32)
        vectors[rows] = found
        return vectors

    def similarity(self, embeddings1: FloatArray, embeddings2: FloatArray) -> FloatArray:
        """Cosine of each of the first with each of the second, shape [first, second]."""
        first, second = (normalize(np.atleast_2d(np.asarray(side))) for side in (embeddings1, embeddings2))
        return first @ second.T

    def similarity_pairwise(self, embeddings1: FloatArray, embeddings2: FloatArray) -> FloatArray:
        """Cosine of each of the first with its counterpart, shape [first]."""
        first, second = (normalize(np.atleast_2d(np.asarray(side))) for side in (embeddings1, embeddings2))
        return (first * second).sum(axis=1)


class MTEBCrossEncoder:
    """A reranker in MTEB's `CrossEncoderProtocol`.

    A document that cannot be scored, such as a blank one, comes after every other of its query.

    Args:
        reranker: Anything that reranks.
        revision: As for `MTEBEncoder`.

    Example:
        >>> from jina_components import Reranker
        >>> MTEBCrossEncoder(Reranker("static-minilm-v1-maxsim")).mteb_model_meta.is_cross_encoder
        True
    """

    def __init__(self, reranker: SupportsRerank, *, revision: str | None = None) -> None:
        self.reranker = reranker
        self._revision = revision

    @cached_property
    def mteb_model_meta(self) -> ModelMeta:
        """What MTEB files results under."""
        name = str(getattr(self.reranker, "name", type(self.reranker).__name__))
        return _meta(name, self._revision, "cross-encoder", None)

    def predict(self, inputs1: Batches, inputs2: Batches, **rest: object) -> NDArray[np.float64]:
        """Relevance of each document to the query beside it, float64, shape [pairs]; comparable within a query.

        Args:
            inputs1: Queries, in batches with a column "text", one for each document.
            inputs2: Documents likewise.
            rest: What else MTEB passes; `show_progress_bar` is used.
        """
        from tqdm.auto import tqdm

        documents = _texts(inputs2)
        rows_of: dict[str, list[int]] = {}
        for row, query in enumerate(_texts(inputs1)):
            rows_of.setdefault(query, []).append(row)
        scores = np.zeros(len(documents))
        hide = not rest.get("show_progress_bar", False)
        for query, rows in tqdm(rows_of.items(), desc="Reranking", unit="query", disable=hide):
            scores[rows] = self._score(query, [documents[row] for row in rows])
        return scores

    def _score(self, query: str, documents: Sequence[str]) -> NDArray[np.float64]:
        ranking = self.reranker.rerank(query, documents, truncate=True)
        scored = {hit.index: hit.score for hit in ranking}
        last = min(scored.values(), default=0.0) - 1
        return np.array([scored.get(index, last) for index in range(len(documents))])


def _texts(batches: Batches) -> list[str]:
    return [text for batch in batches for text in batch["text"]]


def _meta(name: str, revision: str | None, model_type: str, similarity: ScoringFunction | None) -> ModelMeta:
    folder = Path(name)
    # MTEB wants organization/model, which a folder's path is not.
    full = name if name.count("/") == 1 and not folder.is_dir() else f"jina-components/{folder.name}"
    facts = {"name": full, "revision": revision or _pin(name), "model_type": [model_type]}
    return ModelMeta.create_empty({**facts, "similarity_fn_name": similarity})


def _pin(name: str) -> str:
    """What pins the weights of a model; "unknown" of one that is neither in the catalog nor a folder."""
    spec = BY_NAME.get(name)
    if spec is not None and spec.parts:
        facts = [spec.offset, *((weight, _pin(part)) for part, weight in spec.parts.items())]
        return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()
    if spec is not None and spec.revision:
        return spec.revision
    folder = Path(name) if spec is None else bundled_path(spec.folder)
    return fingerprint(folder) if folder.is_dir() else "unknown"
