"""A listwise checkpoint of random weights as jina-reranker-v3 is published, and the published computation of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny_checkpoints import TEXTS
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

NAME = "jina-reranker-v3"
MARKERS = ("<|embed_token|>", "<|rerank_token|>")
ADDED = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", *MARKERS, "<think>", "</think>")
_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_VOCABULARY = 700


@cache
def qwen_like(*, pattern: str = _PATTERN) -> Tokenizer:
    """Byte-level BPE over NFC, cut as Qwen cuts, that has learned to merge what stands at the prompt's joints."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=list(ADDED),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    joints = [
        f"{prompt_of('who', ['a', end + 'b'])} {end}" for end in ("\n", "\n\n", "\r\n", " \n", ">", '">', "0", "?")
    ]
    tokenizer.train_from_iterator([*TEXTS, *joints * 20], trainer)
    return tokenizer


def prompt_of(query: str, documents: Sequence[str]) -> str:
    """The published prompt, from its description."""
    system = (
        "You are a search relevance expert who can determine a ranking of the passages based on how relevant they are "
        "to the query. If the query is a question, how relevant a passage is depends on how well it answers the "
        "question. If not, try to analyze the intent of the query and assess how well each passage satisfies the "
        "intent. If an instruction is provided, you should follow the instruction when determining the ranking."
    )
    user = (
        f"I will provide you with {len(documents)} passages, each indicated by a numerical identifier. "
        f"Rank the passages based on their relevance to query: {query}\n"
    )
    passages = [f'<passage id="{i}">\n{document}<|embed_token|>\n</passage>' for i, document in enumerate(documents)]
    asked = "\n".join(passages) + f"\n<query>\n{query}<|rerank_token|>\n</query>"
    return (
        f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}{asked}<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )


def save_listwise(parent: Path, **settings: Any) -> Path:
    """Write a checkpoint into a folder of the published name, by which the catalog knows it."""
    config = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "vocab_size": _VOCABULARY + 20, "max_position_embeddings": 8192,
        "initializer_range": 0.3, "rope_theta": 1e6, "rms_norm_eps": 1e-6, "tie_word_embeddings": True,
    }  # fmt: skip
    folder = parent / NAME
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.Qwen3Model(transformers.Qwen3Config(**config | settings))
        for name, tensor in model.named_parameters():
            if "norm" in name:
                torch.nn.init.uniform_(tensor, 0.5, 1.5)
        projector = {"projector.0.weight": torch.randn(24, 32), "projector.2.weight": torch.randn(24, 24)}
    model.save_pretrained(folder)
    tensors = {f"model.{name}": tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors | projector, folder / "model.safetensors", {"format": "pt"})
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(qwen_like().to_str()), pad_token="<|endoftext|>", model_max_length=131_072
    ).save_pretrained(folder)
    return folder


class Published:
    """Scores as the published code gets them: the whole prompt as text, through transformers, in float32."""

    def __init__(self, folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        self._first, self._last = (tensors[f"projector.{n}.weight"].numpy().astype(np.float64) for n in (0, 2))
        self._model = transformers.Qwen3Model(transformers.Qwen3Config.from_pretrained(folder)).eval()
        own = {name.removeprefix("model."): tensors[name] for name in tensors if name.startswith("model.")}
        self._model.load_state_dict(own)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokens = 0

    def vectors(self, query: str, documents: Sequence[str]) -> np.ndarray:
        """Of the documents, then of the query, shape [documents + 1, width]."""
        ids = self.tokenizer.encode(prompt_of(query, documents), add_special_tokens=False).ids
        self.tokens += len(ids)
        with torch.inference_mode():
            hidden = self._model(input_ids=torch.tensor([ids])).last_hidden_state[0].numpy().astype(np.float64)
        of_document, of_query = (self.tokenizer.token_to_id(marker) for marker in MARKERS)
        places = [place for place, token in enumerate(ids) if token == of_document] + [ids.index(of_query)]
        assert len(places) == len(documents) + 1
        return np.maximum(hidden[places] @ self._first.T, 0) @ self._last.T

    def scores(self, query: str, blocks: Sequence[Sequence[str]]) -> list[float]:
        """Of the documents of all blocks, in their order."""
        results = [self.vectors(query, block) for block in blocks]
        weights = []
        for vectors in results:
            cosines = [_cosine(vector, vectors[-1]) for vector in vectors[:-1]]
            weights.append(max((1 + cosine) / 2 for cosine in cosines))
        query_vector = sum(w * vectors[-1] for w, vectors in zip(weights, results, strict=True)) / sum(weights)
        return [_cosine(vector, query_vector) for vectors in results for vector in vectors[:-1]]


def _cosine(left: np.ndarray, right: np.ndarray) -> float:
    return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))
