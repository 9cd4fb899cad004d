"""Listwise reranking on a CPU: memory and tokens a second of a checkpoint shaped as jina-reranker-v3 (Qwen3-0.6B).

    python -m benchmarks.speed.listwise [--documents 100] [--characters 2000] [--layers 28] [--hidden 1024] [--heads 16]
        [--key-heads 8] [--head-width 128] [--inner 3072] [--vocabulary 151936] [--precision auto] [--token-budget N …]
        [--threads 1] [--limit 4000] [--to results.json]

Weights are random and stored in bfloat16; texts are made of words. Each budget (tokens of a block) runs in a process
of its own, which loads the model and ranks once. Columns:

- tokens: of the prompts that ran; tokens/s: of the call, tokenization included; cpu/wall: cores that were busy;
- loaded MB: the most that was resident once the model was loaded, which takes reading the file;
- peak MB: the most that was ever resident.

Fails where the peak is over `--limit` MB. A hundred documents take a core some minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

_PROJECTED = 512
_ADDED = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|embed_token|>", "<|rerank_token|>", "<think>", "</think>",
)  # fmt: skip
_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SYLLABLES = [first + second for first in "bdfgklmnprst" for second in ("a", "e", "i", "o", "u", "an", "er", "is")]


def main() -> None:
    """Measure, print a table, and check the peak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = {
        "documents": 100, "characters": 2000, "layers": 28, "hidden": 1024, "heads": 16, "key-heads": 8,
        "head-width": 128, "inner": 3072, "vocabulary": 151_936, "threads": 1, "limit": 4000,
    }  # fmt: skip
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--token-budget", type=int, nargs="+", default=[0], help="0 for the model's own")
    parser.add_argument("--to", type=Path, help="write the results here as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        rows = _measure(options, Path(temporary))
    if options.to:
        options.to.write_text(
            json.dumps({"sizes": vars(options) | {"to": ""}, "results": rows}, indent=2) + "\n", "utf-8"
        )
    if over := [name for name, row in rows.items() if row["peak MB"] > options.limit]:
        sys.exit(f"Over {options.limit} MB: {', '.join(over)}.")


def _measure(options: argparse.Namespace, temporary: Path) -> dict[str, dict[str, float]]:
    from benchmarks.speed import runs

    texts = _texts(options.documents, options.characters)
    folder = temporary / "jina-reranker-v3"  # by which name the catalog knows what it is
    _save_checkpoint(folder, options, texts)
    (temporary / "texts.json").write_text(json.dumps(texts), "utf-8")
    rows = {}
    for budget in options.token_budget:
        settings = [str(folder), str(temporary / "texts.json"), options.precision, str(budget)]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.speed.listwise", "--worker", *settings],
            env=os.environ | {"OMP_NUM_THREADS": str(options.threads)}, stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
        rows[f"blocks of {budget:,}" if budget else "blocks by default"] = json.loads(done.stdout)
    runs.show(f"{options.documents} documents of {options.characters:,} characters", rows)
    return rows


def _work(folder: str, texts: str, precision: str, budget: str) -> None:
    """Rank once, in a process of its own, and print what it took."""
    from jina_components import Reranker

    query, *documents = json.loads(Path(texts).read_text("utf-8"))
    reranker = Reranker(folder, precision=precision, token_budget=int(budget) or None)
    reranker.load()
    loaded, cpu, started = _peak(), time.process_time(), time.perf_counter()
    ranking = reranker.rerank(query, documents)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    if len(ranking) != len(documents):
        sys.exit(f"{len(documents) - len(ranking)} documents were not ranked.")
    row = {
        "tokens": ranking.usage.total_tokens,
        "tokens/s": round(ranking.usage.total_tokens / seconds, 1),
        "seconds": round(seconds, 1),
        "cpu/wall": round(cpu / seconds, 2),
        "loaded MB": round(loaded / 1e6),
        "peak MB": round(_peak() / 1e6),
    }
    print(json.dumps(row))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _texts(documents: int, characters: int) -> list[str]:
    """A query, then documents."""
    rng = np.random.default_rng(0)
    words = np.array(["".join(rng.choice(_SYLLABLES, size)) for size in rng.integers(1, 5, 4000)])
    shares = 1 / np.arange(1, len(words) + 1)
    drawn = rng.choice(words, (documents + 1, characters // 3), p=shares / shares.sum())
    query, *others = (" ".join(row) for row in drawn)
    return [query[:60], *(text[:characters] for text in others)]


def _save_checkpoint(folder: Path, options: argparse.Namespace, texts: list[str]) -> None:
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    torch.manual_seed(0)
    tensors = {name: _random(shape) for name, shape in _shapes(options).items()}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    config: dict[str, Any] = {
        "model_type": "qwen3", "architectures": ["JinaForRanking"], "hidden_size": options.hidden,
        "num_hidden_layers": options.layers, "num_attention_heads": options.heads,
        "num_key_value_heads": options.key_heads, "head_dim": options.head_width, "intermediate_size": options.inner,
        "vocab_size": options.vocabulary, "max_position_embeddings": 131_072, "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000, "hidden_act": "silu", "tie_word_embeddings": True,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 131072}', "utf-8")
    _tokenizer(texts).save(str(folder / "tokenizer.json"))


def _shapes(options: argparse.Namespace) -> dict[str, tuple[int, ...]]:
    hidden, width = options.hidden, options.head_width
    layer = {
        "input_layernorm": (hidden,), "post_attention_layernorm": (hidden,),
        "self_attn.q_proj": (options.heads * width, hidden), "self_attn.k_proj": (options.key_heads * width, hidden),
        "self_attn.v_proj": (options.key_heads * width, hidden), "self_attn.o_proj": (hidden, options.heads * width),
        "self_attn.q_norm": (width,), "self_attn.k_norm": (width,), "mlp.gate_proj": (options.inner, hidden),
        "mlp.up_proj": (options.inner, hidden), "mlp.down_proj": (hidden, options.inner),
    }  # fmt: skip
    return {
        "model.embed_tokens.weight": (options.vocabulary, hidden),
        **{f"model.layers.{n}.{name}.weight": shape for n in range(options.layers) for name, shape in layer.items()},
        "model.norm.weight": (hidden,),
        "projector.0.weight": (_PROJECTED, hidden),
        "projector.2.weight": (_PROJECTED, _PROJECTED),
    }


def _random(shape: tuple[int, ...]) -> Any:  # noqa: ANN401
    """Norms are 1, matrices keep the length of a vector."""
    import torch

    if len(shape) == 1:
        return torch.ones(shape, dtype=torch.bfloat16)
    return torch.empty(shape, dtype=torch.bfloat16).normal_(std=shape[1] ** -0.5)


def _tokenizer(texts: list[str]) -> Any:  # noqa: ANN401
    """Byte-level BPE as Qwen has it, of the words at hand."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(_PATTERN), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,  # four characters a token, as of English
        special_tokens=list(_ADDED),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        _work(*sys.argv[2:])
    else:
        main()
