"""Fits a static table to a teacher's sentence vectors, the idea of Tokenlearn (Tulkens & van Dongen 2024)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm.auto import tqdm

from jina_components.core.vectors import normalize

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

    from jina_components.types import FloatArray

SHARD = 8192
MAX_TOKENS = 72
PADDED_TOKENS = 8192


def sentence_vectors(folder: Path, texts: Sequence[str], cache: Path) -> FloatArray:
    """The teacher's vectors of the first 72 tokens of each text, mean-pooled and normalised, [texts, hidden].

    Every 8,192 texts are kept in `cache` under a digest of teacher and texts, where a later run finds them.
    The teacher runs in bfloat16: cosine 1.0000 to float32, three times as fast on CPUs made for it.
    """
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    cache.mkdir(parents=True, exist_ok=True)
    model = AutoModel.from_pretrained(folder, dtype=torch.bfloat16, use_safetensors=True).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    with (folder / "model.safetensors").open("rb") as weights:
        teacher = hashlib.file_digest(weights, "sha256")
    shards = []
    for start in tqdm(range(0, len(texts), SHARD), desc="teacher", unit="shard"):
        shard = texts[start : start + SHARD]
        digest = teacher.copy()
        digest.update("\0".join(shard).encode("utf-8", "surrogatepass"))
        path = cache / f"{digest.hexdigest()[:24]}.npy"
        if not path.is_file():
            unfinished = path.with_suffix(".part.npy")
            np.save(unfinished, _encode(model, tokenizer, shard))
            unfinished.replace(path)
        shards.append(np.load(path))
    return normalize(np.concatenate(shards))


def _encode(model: PreTrainedModel, tokenizer: Tokenizer, texts: Sequence[str]) -> FloatArray:
    """Mean-pooled states, longest texts first, as many a batch as `PADDED_TOKENS` allow."""
    import torch

    ids = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
    vectors = np.zeros((len(ids), model.config.hidden_size), np.float32)
    start = 0
    while start < len(order):
        width = len(ids[order[start]])
        batch = order[start : start + max(1, PADDED_TOKENS // width)]
        start += len(batch)
        mask = torch.tensor([[position < len(ids[i]) for position in range(width)] for i in batch])
        inputs = torch.tensor([ids[i] + [0] * (width - len(ids[i])) for i in batch])
        with torch.inference_mode():
            states = model(input_ids=inputs, attention_mask=mask.long()).last_hidden_state.float()
        vectors[batch] = ((states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)).numpy()
    return vectors


def token_bags(tokenizer: str, texts: Sequence[str], *, first: int) -> list[list[int]]:
    """Token ids, by a `tokenizer.json`, of the part of a text that the teacher saw, from `first` up."""
    from tokenizers import Tokenizer

    encodings = Tokenizer.from_str(tokenizer).encode_batch(list(texts), add_special_tokens=False)
    return [[i for i in encoding.ids[: MAX_TOKENS - 2] if i >= first] for encoding in encodings]


def fit(
    table: FloatArray,
    bags: Sequence[Sequence[int]],
    targets: FloatArray,
    *,
    seed: int,
    epochs: int = 3,
    rate: float = 0.02,
    batch: int = 1024,
) -> FloatArray:
    """The table moved so that the mean of a text's rows points where the teacher's vector does.

    Adam (Kingma & Ba 2015) on 1 - cosine, its rate falling linearly to 0. Few, small steps are meant: rows of
    tokens that the texts hardly hold stay what distillation made them. `table` is [tokens, dimensions],
    `targets` [texts, dimensions], `rate` in units of the table's mean absolute value; empty bags are passed.
    """
    import torch
    from torch.nn.functional import cosine_similarity, embedding_bag

    random = np.random.default_rng(seed)
    rows = torch.from_numpy(table / np.abs(table).mean()).requires_grad_()
    goal = torch.from_numpy(targets)
    filled = np.array([i for i, bag in enumerate(bags) if bag])
    steps = -(-len(filled) // batch)
    plan = [part for _ in range(epochs) for part in np.array_split(random.permutation(filled), steps)]
    optimizer = torch.optim.Adam([rows], lr=rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, len(plan))
    for picked in tqdm(plan, desc="fit", unit="step"):
        lengths = [0, *(len(bags[i]) for i in picked)]
        tokens = torch.tensor([token for i in picked for token in bags[i]])
        means = embedding_bag(tokens, rows, torch.tensor(lengths[:-1]).cumsum(0))
        optimizer.zero_grad()
        (1 - cosine_similarity(means, goal[torch.from_numpy(picked)])).mean().backward()
        optimizer.step()
        schedule.step()
    return np.asarray(rows.detach().numpy(), np.float32)
