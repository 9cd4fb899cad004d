from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers.base.modules import Normalize
from sentence_transformers.sentence_transformer.modules import Pooling
from tiny_checkpoints import (
    FOUR_LABELS,
    edit_json,
    save_checkpoint,
    save_model2vec,
    save_pair_model,
    save_sentence_transformer,
)
from tiny_triplets import WORDS


@pytest.fixture(scope="session")
def tiny_bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A model of each kind, with random weights; the transformers drop out a tenth."""
    home = tmp_path_factory.mktemp("bases")
    steps = Pooling(32, pooling_mode="mean"), Normalize()
    prompts = {"query": "quick ", "document": "lazy "}
    save_sentence_transformer(home / "embedder", *steps, checkpoint=save_checkpoint(home / "bert"), prompts=prompts)
    save_pair_model(home / "reranker", FOUR_LABELS)
    table = np.random.default_rng(0).normal(size=(len(WORDS) + 1, 16)).astype(np.float32)
    edit_json(save_model2vec(home / "static", WORDS, embeddings=table) / "config.json", normalize=True)
    return {name: str(Path(home / name)) for name in ("embedder", "reranker", "static")}
