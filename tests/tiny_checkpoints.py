"""Random-weight checkpoints of real architectures, small enough to write and load in a test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from jina_components.errors import ConfigError
from jina_components.models.backends.linear import choose_precision
from jina_components.models.sequences import TokenSequence

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "hello",
    "Hello WORLD, Zażółć gęślą jaźń!",
    "  spaces \t around\n",
    "東京 is the capital of 日本",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z " * 3,
]
_SIZE = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32, "intermediate_size": 64}
_WIDE = {"initializer_range": 0.3}  # so that texts differ clearly
_ROBERTA = {**_SIZE, **_WIDE, "max_position_embeddings": 66, "pad_token_id": 1, "type_vocab_size": 1}
_LLAMA = {
    **_WIDE, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "pad_token_id": 1,
    "bos_token_id": 0, "eos_token_id": 2,
}  # fmt: skip
VOCABULARY = 300
ENTAILMENT = ("contradiction", "entailment", "neutral")
FOUR_LABELS = ("relevance", "entailment", "neutral", "contradiction")


@cache
def wordpiece(*, lowercase: bool = True) -> Tokenizer:
    """A tokenizer as BERT has it: [PAD] is 0, [CLS] … [SEP] around, segment 1 for the second text."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([*TEXTS, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"], trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


@cache
def byte_bpe() -> Tokenizer:
    """A tokenizer as RoBERTa has it: <pad> is 1, <s> … </s></s> … </s>, no segments."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<s>", "<pad>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer


_FAMILIES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "bert": ("Bert", {**_SIZE, **_WIDE, "max_position_embeddings": 64}, wordpiece),
    "distilbert": (
        "DistilBert",
        {**_WIDE, "dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 64},
        wordpiece,
    ),
    "roberta": ("Roberta", _ROBERTA, byte_bpe),
    "xlm-roberta": ("XLMRoberta", _ROBERTA, byte_bpe),
    "camembert": ("Camembert", _ROBERTA, byte_bpe),
    "mpnet": ("MPNet", {**_SIZE, **_WIDE, "max_position_embeddings": 66, "pad_token_id": 1}, byte_bpe),
    "electra": ("Electra", {**_SIZE, **_WIDE, "embedding_size": 16, "max_position_embeddings": 64}, wordpiece),
    "deberta-v2": (
        "DebertaV2",
        {
            **_SIZE, **_WIDE, "max_position_embeddings": 64, "type_vocab_size": 0, "relative_attention": True,
            "position_buckets": 16, "pos_att_type": ["p2c", "c2p"], "norm_rel_ebd": "layer_norm", "share_att_key": True,
            "position_biased_input": False,
        },
        wordpiece,
    ),
    "nomic-bert": ("NomicBert", {**_SIZE, **_WIDE, "max_position_embeddings": 64}, wordpiece),
    "gte": ("Gte", {**_SIZE, **_WIDE, "max_position_embeddings": 64, "pad_token_id": 0}, wordpiece),
    "modernbert": (
        "ModernBert",
        {
            **_SIZE, **_WIDE, "max_position_embeddings": 64, "pad_token_id": 1, "bos_token_id": 0,
            "eos_token_id": 2, "cls_token_id": 0, "sep_token_id": 2, "local_attention": 8,
            "initializer_cutoff_factor": 2.0,
        },
        byte_bpe,
    ),
    "qwen2": ("Qwen2", {**_SIZE, **_LLAMA}, byte_bpe),
    "qwen3": ("Qwen3", {**_SIZE, **_LLAMA, "head_dim": 16}, byte_bpe),
    "eurobert": ("EuroBert", {**_SIZE, **_LLAMA, "mask_token_id": 3}, byte_bpe),
    "t5": (
        "T5Encoder",
        {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "initializer_factor": 1.0},
        byte_bpe,
    ),
}  # fmt: skip
FAMILIES = tuple(_FAMILIES)
BERTS = ("bert", "roberta", "xlm-roberta", "camembert", "mpnet", "distilbert")
DECODERS = ("qwen2", "qwen3", "eurobert")
NATIVE = BERTS + DECODERS
PADDED = tuple(family for family in FAMILIES if family not in NATIVE)


def save_checkpoint(folder: Path, family: str = "bert", *, head: str = "Model", **settings: Any) -> Path:
    """Write a checkpoint of `family` with random weights; `settings` override its config."""
    prefix, config, tokenizer = _FAMILIES[family]
    config_class = getattr(transformers, f"{prefix.removesuffix('Encoder')}Config")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, prefix + head)(config_class(vocab_size=VOCABULARY, **config | settings))
    model.save_pretrained(folder)
    save_tokenizer(folder, tokenizer(), model_max_length=48)
    return folder


def save_pair_model(folder: Path, labels: Sequence[str], family: str = "bert", **settings: Any) -> Path:
    """Write a sequence-classification checkpoint that scores `labels`."""
    named = {"id2label": dict(enumerate(labels)), "label2id": {label: column for column, label in enumerate(labels)}}
    return save_checkpoint(folder, family, head="ForSequenceClassification", **named | settings)


def random_sequences(lengths: Sequence[int], *, types: int = 1, seed: int = 0) -> list[TokenSequence]:
    """Sequences of random tokens, none of them special; of `types` token types in blocks."""
    random = np.random.default_rng(seed)

    def make(length: int) -> TokenSequence:
        blocks = np.sort(random.integers(types, size=length)).astype(np.int32)
        return TokenSequence(
            random.integers(5, VOCABULARY, size=length).astype(np.int32), blocks if types > 1 else None
        )

    return [make(length) for length in lengths]


def run_transformers(folder: Path, sequences: Sequence[TokenSequence], auto: Any = transformers.AutoModel) -> list[Any]:
    """What transformers gives for each sequence alone, in float32: token vectors, or logits for a classifier."""
    model = auto.from_pretrained(folder, dtype=torch.float32).eval()
    outputs = []
    for sequence in sequences:
        inputs = {"input_ids": torch.from_numpy(sequence.ids.astype(np.int64))[None]}
        if sequence.type_ids is not None:
            inputs["token_type_ids"] = torch.from_numpy(sequence.type_ids.astype(np.int64))[None]
        with torch.inference_mode():
            outputs.append(model(**inputs)[0][0].numpy())
    return outputs


def save_tokenizer(folder: Path, tokenizer: Tokenizer, **settings: Any) -> None:
    """Write tokenizer.json and tokenizer_config.json."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    bert = copy.token_to_id("[CLS]") is not None
    named = zip(
        ("pad_token", "cls_token", "sep_token"),
        ("[PAD]", "[CLS]", "[SEP]") if bert else ("<pad>", "<s>", "</s>"),
        strict=True,
    )
    inputs = ["input_ids", "token_type_ids", "attention_mask"] if bert else ["input_ids", "attention_mask"]
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=copy, **dict(named), **{"model_input_names": inputs} | settings
    ).save_pretrained(folder)


def save_sentence_transformer(
    folder: Path,
    *steps: torch.nn.Module,
    checkpoint: Path,
    prompts: dict[str, str] | None = None,
    default_prompt_name: str | None = None,
    **transformer: Any,
) -> SentenceTransformer:
    """Write a sentence-transformers folder of `checkpoint` and `steps`; the model as its own library runs it."""
    model = SentenceTransformer(
        modules=[Transformer(str(checkpoint), **transformer), *steps],
        prompts=prompts,
        default_prompt_name=default_prompt_name,
        device="cpu",
    )
    model.save(str(folder), create_model_card=False)
    return model


def edit_json(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file; None removes one."""
    content = json.loads(path.read_text()) if path.is_file() else {}
    merged = {key: value for key, value in (content | changes).items() if value is not None}
    path.write_text(json.dumps(merged))


def save_model2vec(folder: Path, words: Sequence[str], **tensors: np.ndarray) -> Path:
    """Write a Model2Vec folder: a word-level tokenizer ([UNK] is token 0) and tensors as given."""
    folder.mkdir(exist_ok=True)
    vocabulary = {word: number for number, word in enumerate(["[UNK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": False}))
    save_file(tensors, folder / "model.safetensors")
    return folder


def skip_what_cannot_run(backend: str, precision: str) -> None:
    """Skip a test of a precision that torch has no instructions for on this CPU."""
    if backend == "torch":
        try:
            choose_precision(precision, torch.device("cpu"))
        except ConfigError as error:
            pytest.skip(str(error))
