"""Random-weight checkpoints that give a vector a token, in the layouts of ColBERT and of PyLate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from sentence_transformers import MultiVectorEncoder
from tiny_checkpoints import byte_bpe, edit_json, save_checkpoint, save_tokenizer, wordpiece
from tokenizers import AddedToken, Tokenizer

_TOKENS = {
    "jina-colbert-v1-en": (wordpiece, "[MASK]", ("[unused0]", "[unused1]")),
    "jina-colbert-v2": (byte_bpe, "<mask>", ("[QueryMarker]", "[DocumentMarker]")),
}
METADATA = {"query_maxlen": 32, "doc_maxlen": 300, "mask_punctuation": True, "attend_to_mask_tokens": True}


def tokenizer_of(name: str) -> Tokenizer:
    """A tokenizer with the mask token and the markers that a published model has."""
    make, mask, markers = _TOKENS[name]
    tokenizer = Tokenizer.from_str(make().to_str())
    tokenizer.add_special_tokens([mask])
    tokenizer.add_tokens([AddedToken(marker, normalized=False) for marker in markers])
    return tokenizer


def mask_of(name: str) -> str:
    """The mask token of a published model."""
    return _TOKENS[name][1]


def save_bert_colbert(folder: Path, *, positions: int = 64, **metadata: Any) -> Path:
    """Write BERT in ColBERT's own layout: the encoder under `bert.`, and `linear.weight`."""
    save_checkpoint(folder, "bert", max_position_embeddings=positions)
    tensors = {f"bert.{name}": tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    head = np.random.default_rng(0).standard_normal((16, 32)).astype(np.float32)
    save_file(tensors | {"linear.weight": head}, folder / "model.safetensors", metadata={"format": "pt"})
    edit_json(folder / "config.json", architectures=["HF_ColBERT"])
    save_tokenizer(
        folder, tokenizer_of("jina-colbert-v1-en"), mask_token="[MASK]", unk_token="[UNK]", model_max_length=48
    )
    values = {key: value for key, value in (METADATA | {"doc_maxlen": 40} | metadata).items() if value is not None}
    (folder / "artifact.metadata").write_text(json.dumps(values))
    return folder


def save_pylate(folder: Path, source: Path, **settings: Any) -> Path:
    """Write the model of a folder of ColBERT's layout in PyLate's: a Transformer without prefix, and a Dense."""
    tensors = load_file(source / "model.safetensors")
    head = tensors.pop("linear.weight")
    folder.mkdir()
    (folder / "1_Dense").mkdir()
    for path in source.glob("*.json"):
        (folder / path.name).write_bytes(path.read_bytes())
    edit_json(folder / "config.json", architectures=["BertModel"])
    plain = {name.removeprefix("bert."): tensor for name, tensor in tensors.items()}
    save_file(plain, folder / "model.safetensors", metadata={"format": "pt"})
    save_file({"linear.weight": head}, folder / "1_Dense" / "model.safetensors", metadata={"format": "pt"})
    dense = {"in_features": head.shape[1], "out_features": len(head), "bias": False}
    dense["activation_function"] = "torch.nn.modules.linear.Identity"
    (folder / "1_Dense" / "config.json").write_text(json.dumps(dense))
    types = ("sentence_transformers.models.Transformer", "pylate.models.Dense.Dense")
    rows = [{"idx": n, "name": str(n), "path": ["", "1_Dense"][n], "type": kind} for n, kind in enumerate(types)]
    (folder / "modules.json").write_text(json.dumps(rows))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 47, "do_lower_case": false}')
    values = {
        "query_prefix": "[unused0]", "document_prefix": "[unused1]", "query_length": 32, "document_length": 40,
        "attend_to_expansion_tokens": True, "do_query_expansion": True, "model_type": "ColBERT",
    }  # fmt: skip
    values = {key: value for key, value in (values | settings).items() if value is not None}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(values))
    return folder


def reference_vectors(folder: Path, texts: list[str], *, query: bool) -> list[np.ndarray]:
    """What sentence-transformers gives for each text, alone."""
    model = MultiVectorEncoder(str(folder), device="cpu")
    encode = model.encode_query if query else model.encode_document
    with torch.inference_mode():
        return [np.asarray(encode([text], convert_to_numpy=True)[0], np.float32) for text in texts]
