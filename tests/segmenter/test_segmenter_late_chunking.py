"""Chunks as the inputs of late chunking: each one's vector is made of its own tokens of the whole text."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers.sentence_transformer.modules import Pooling
from tiny_checkpoints import save_checkpoint, save_sentence_transformer
from transformers import AutoModel, AutoTokenizer

from jina_components import Embedder
from jina_components.segmenter import Segmenter

TEXT = (
    "\n  The fox jumps over the dog. They had come early, he said.\n\n# Hello world\n\nThe dog said: hello! They jump. "
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("late")
    save_sentence_transformer(base / "model", Pooling(32), checkpoint=save_checkpoint(base / "base"))
    return base


@pytest.mark.parametrize("settings", [{"max_chunk_length": 30}, {"pack": False}, {"max_chunk_length": 12}])
def test_the_vector_of_a_chunk_is_the_mean_of_the_tokens_between_its_offsets(
    folder: Path, settings: dict[str, object]
) -> None:
    chunks = [chunk for chunk in Segmenter(**settings).segment(TEXT).chunks if not chunk.text.isspace()]
    found = Embedder(folder / "model", precision="float32").embed(
        [chunk.text for chunk in chunks], late_chunking=True, normalized=False
    )
    tokens = AutoTokenizer.from_pretrained(folder / "base")(TEXT, return_offsets_mapping=True, return_tensors="pt")
    offsets = tokens.pop("offset_mapping")[0].numpy()
    with torch.inference_mode():
        hidden = AutoModel.from_pretrained(folder / "base").eval()(**tokens).last_hidden_state[0].numpy()
    owners = np.searchsorted([chunk.start for chunk in chunks], offsets[:, 0], side="right") - 1
    owners[0], owners[-1] = 0, len(chunks) - 1  # the markers
    wanted = [hidden[owners == number].mean(0) for number in range(len(chunks))]
    assert len(chunks) > 2
    np.testing.assert_allclose(found.vectors, wanted, atol=1e-5)
    assert found.usage.total_tokens == len(offsets)
