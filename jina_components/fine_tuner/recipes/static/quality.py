"""How good a static embedder is, in numpy alone.

Written apart from the library's own embedder, so that the two check each other.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jina_components.core.vectors import normalize
from jina_components.fine_tuner.rankings import rank_by_cosine
from jina_components.fine_tuner.recipes.quality import measures
from jina_components.fine_tuner.recipes.quality.labelled_sets import load_stsb
from jina_components.fine_tuner.recipes.quality.metrics import ndcg
from jina_components.fine_tuner.recipes.quality.retrieval_sets import RETRIEVAL, load_set

if TYPE_CHECKING:
    from jina_components.fine_tuner.recipes.quality.measures import Encode
    from jina_components.types import FloatArray

log = logging.getLogger(__name__)

SIMILARITY = "stsb"


def evaluate(encode: Encode, data: Path) -> dict[str, float]:
    """Result by set: Spearman on stsb, else nDCG@10, on the whole sets.

    Raises:
        ConfigError: a file of a set is missing.
    """
    results = {}
    for name in RETRIEVAL:
        task = load_set(data, name)
        results[name] = ndcg(rank_by_cosine(encode(list(task.queries)), encode(list(task.corpus))), task.relevant)
    results[SIMILARITY] = measures.similarity(encode, load_stsb(data))["spearman"]
    log.info("measured: %s", results)
    return results


def static_encoder(folder: Path) -> Encode:
    """Encoder of a folder: `tokenizer.json` and `model.safetensors` (`embeddings`, optional `weights`)."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    tensors = load_file(folder / "model.safetensors")
    table = tensors["embeddings"].astype(np.float32)
    if "weights" in tensors:
        table *= tensors["weights"].astype(np.float32)[:, None]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    unknown = tokenizer.token_to_id("[UNK]")

    def encode(texts: Sequence[str]) -> FloatArray:
        encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        vectors = [table[[i for i in encoding.ids if i != unknown]].sum(axis=0) for encoding in encodings]
        return normalize(np.asarray(vectors, np.float32).reshape(len(texts), -1))

    return encode
