"""The documentation's lines on the Jina family run, on folders of random weights that are called as the models are."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from test_embedder_images import save_clip
from tiny_checkpoints import byte_bpe, save_tokenizer
from tiny_colberts import save_bert_colbert
from tiny_generators import save_generator
from tiny_listwise import save_listwise
from tiny_published import tiny_config, write_tiny
from tiny_vision_models import picture, save_m0

import jina_components

PAGE = (Path(__file__).parent.parent / "docs/models.md").read_text(encoding="utf-8")


def save_v3(folder):
    folder.mkdir()
    write_tiny(folder, "jina-embeddings-v3", tiny_config("jina-embeddings-v3", num_attention_heads=4))
    save_tokenizer(folder, byte_bpe(), model_max_length=300)


def save_colbert(folder):
    save_bert_colbert(folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["linear.weight"] = np.random.default_rng(0).standard_normal((128, 32)).astype(np.float32)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_the_lines_on_the_jina_family(tmp_path, monkeypatch):
    save_v3(tmp_path / "jina-embeddings-v3")
    save_clip(tmp_path / "jina-clip-v2", "jina-clip-v2")
    save_colbert(tmp_path / "jina-colbert-v2")
    save_listwise(tmp_path)
    save_m0(tmp_path / "jina-reranker-m0")
    save_generator(tmp_path / "ReaderLM-v2", max_position_embeddings=16_384)
    for name in ("cat.png", "page-1.png", "page-2.png"):
        picture(90, 70).save(tmp_path / name)
    section = PAGE.split("## The Jina family")[1].split("## ")[0]
    code = re.findall(r"```python\n(.*?)```", section, re.S)[0]
    used = set(re.findall(r'(?:Embedder|Reranker|ReaderLM)\("([\w.-]+)"', code))
    assert used == {path.name for path in tmp_path.iterdir() if path.is_dir()}
    code = re.sub(r'(Embedder|Reranker|ReaderLM)\("', rf'\1("{tmp_path}/', code)
    code = code.replace("https://example.com/cat.jpg", "cat.png").replace("dimensions=256", "dimensions=16")
    code = code.replace(".stream(html)", ".stream(html, truncate=True)").replace(
        'ReaderLM-v2")', 'ReaderLM-v2", max_tokens=5)'
    )
    monkeypatch.chdir(tmp_path)
    names = {name: getattr(jina_components, name) for name in jina_components.__all__}
    texts = ["the cat sat on the mat", "rain fell"]
    exec(code, values := {**names, "texts": texts, "chunks": texts, "html": "<p>hello</p>"})
    assert values["scores"].shape == (2,)
