"""A BERT with random weights, as the recipes take a teacher."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers

WORDS = [*(f"word{i}" for i in range(40)), "hello", "world", "##s", "!", ","]
_VOCABULARY = ["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]


def save_teacher(folder: Path) -> Path:
    """Write a folder of two layers."""
    config = transformers.BertConfig(
        vocab_size=len(_VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.BertModel(config).save_pretrained(folder)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(_VOCABULARY), encoding="utf-8")
    transformers.BertTokenizerFast(str(vocabulary)).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    return folder
