"""Text checkpoints as they are published: config.json, and which layout their tensors are of.

jina-embeddings-v2-base-es is not here: its config.json names a third variant of JinaBERT
(jinaai/jina-bert-v2-qk-devlin-norm-1e-2), of which no list of tensors could be found.

Sources of a number: `count` is what mteb 2.26 states for the model (taken from the safetensors header), `megabytes`
the size of model.safetensors on the model's page. Both contain what nothing here computes, such as poolers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from layout_shapes import (
    Config,
    Shapes,
    causal_llama_like,
    jina_bert,
    jina_bert_code,
    jina_bert_flash,
    jina_xlm_roberta,
    llama_like,
)

Layout = Callable[[Config], Shapes]

V3_TASKS = ("retrieval.query", "retrieval.passage", "separation", "classification", "text-matching")
V5_TASKS = ("classification", "clustering", "retrieval", "text-matching")


# --- config.json -----------------------------------------------------------------------------------------------------

_JINA_BERT: Config = {
    "_name_or_path": "jinaai/jina-bert-implementation",
    "model_type": "bert",
    "architectures": ["JinaBertForMaskedLM"],
    "attention_probs_dropout_prob": 0.0,
    "emb_pooler": "mean",
    "feed_forward_type": "geglu",
    "hidden_act": "gelu",
    "hidden_size": 768,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 8192,
    "model_max_length": 8192,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 0,
    "position_embedding_type": "alibi",
    "type_vocab_size": 2,
    "vocab_size": 30528,
}
_SMALL = {"hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 8, "num_hidden_layers": 4}
_COLBERT_V1 = {"_name_or_path": "colbert-200000", "architectures": ["HF_ColBERT"], "attention_probs_dropout_prob": 0.1}
# num_labels is not in the file.
_RERANKER_V1: Config = {
    **_JINA_BERT,
    "architectures": ["JinaBertModel"],
    "hidden_size": 384,
    "intermediate_size": 1536,
    "num_hidden_layers": 4,
    "vocab_size": 61056,
}
_XLM: Config = {
    "model_type": "xlm-roberta",
    "emb_pooler": None,
    "hidden_act": "gelu",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "layer_norm_eps": 1e-5,
    "max_position_embeddings": 8194,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
    "pad_token_id": 1,
    "position_embedding_type": "rotary",
    "rotary_emb_base": 20000.0,
    "type_vocab_size": 1,
    "use_flash_attn": True,
    "vocab_size": 250002,
}
V3: Config = {
    **_XLM,
    "architectures": ["XLMRobertaLoRA"],
    "lora_adaptations": list(V3_TASKS),
    "lora_alpha": 1,
    "lora_dropout_p": 0.0,
    "lora_main_params_trainable": False,
    "lora_rank": 4,
    "matryoshka_dimensions": [32, 64, 128, 256, 512, 768, 1024],
}
# The base of the rotation in this file was not seen; that of its class is 10,000.
_COLBERT_V2: Config = {
    **{key: value for key, value in _XLM.items() if key != "rotary_emb_base"},
    "_name_or_path": "jinaai/jina-embeddings-v3-xlm-large-pairs-vol5",
    "architectures": ["HF_ColBERT"],
    "lora_adaptations": None,
    "vocab_size": 250004,
}
# There is no model_type.
_RERANKER_V2: Config = {
    **{key: value for key, value in _XLM.items() if key not in ("model_type", "rotary_emb_base")},
    "architectures": ["XLMRobertaForSequenceClassification"],
    "hidden_size": 768,
    "id2label": {"0": "LABEL_0"},
    "intermediate_size": 3072,
    "max_position_embeddings": 1026,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "num_labels": 1,
    "position_embedding_type": "absolute",
}
# The text sides of jina-clip have no config.json of their own: that of the model which they are named after, and
# changes to it under text_config.hf_model_config_kwargs.
_CLIP_V2_TEXT: Config = {**V3, "lora_adaptations": ["retrieval.query"], "lora_alpha": 4}
_QWEN: Config = {
    "attention_bias": False,
    "hidden_act": "silu",
    "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6,
    "rope_scaling": None,
    "rope_theta": 1_000_000,
    "tie_word_embeddings": True,
    "vocab_size": 151936,
}
_QWEN3_SMALL: Config = {
    **_QWEN,
    "head_dim": 128,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_attention_heads": 16,
    "num_hidden_layers": 28,
    "num_key_value_heads": 8,
}
_QWEN2_CODER: Config = {
    **_QWEN,
    "model_type": "qwen2",
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_attention_heads": 14,
    "num_hidden_layers": 24,
    "num_key_value_heads": 2,
    "sliding_window": 32768,
    "use_sliding_window": False,
}
_V5_NANO: Config = {
    "architectures": ["JinaEmbeddingsV5Model"],
    "attention_bias": False,
    "bos_token_id": 128000,
    "eos_token_id": 128001,
    "hidden_act": "silu",
    "hidden_size": 768,
    "intermediate_size": 3072,
    "is_decoder": False,
    "max_position_embeddings": 8192,
    "model_type": "jina_embeddings_v5",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "num_key_value_heads": 12,
    "pad_token_id": 128001,
    "rms_norm_eps": 1e-5,
    "rope_scaling": None,
    "rope_theta": 1_000_000,
    "task_names": ["retrieval", "text-matching", "clustering", "classification"],
    "tie_word_embeddings": False,
    "vocab_size": 128256,
}
V5_ADAPTER: Config = {
    "alpha_pattern": {},
    "bias": "none",
    "fan_in_fan_out": False,
    "lora_alpha": 32,
    "lora_bias": False,
    "modules_to_save": None,
    "peft_type": "LORA",
    "r": 32,
    "rank_pattern": {},
    "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "task_type": "FEATURE_EXTRACTION",
    "use_dora": False,
    "use_rslora": False,
}


# --- checkpoints -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint as published.

    Attributes:
        config: What of its config.json says how it is computed.
        layout: Its tensors.
        dtype: Their type.
        count: Their published number of elements, or None.
        uncounted: Tensors that this number leaves out.
        megabytes: Published size of model.safetensors, 10^6 bytes, or None.
        prefix: What stands before the names of the text side in a checkpoint of several sides.
        classifies: Whether it is a cross-encoder.
        adapters: LoRA folders beside it, and elements that each is known to have.
    """

    config: Config
    layout: Layout
    dtype: str
    count: int | None = None
    uncounted: tuple[str, ...] = ()
    megabytes: float | None = None
    prefix: str = ""
    classifies: bool = False
    adapters: Mapping[str, int] = field(default_factory=dict)


_BPE = {"vocab_size": 61056}
_CODE = {"_name_or_path": "jinaai/jina-bert-v2-qk-post-norm"}
_CODER_BIG = {"hidden_size": 1536, "intermediate_size": 8960, "num_attention_heads": 12, "num_hidden_layers": 28}
_XLM_PLAIN = partial(jina_xlm_roberta, pooler=True)
_LISTWISE_HEAD: Shapes = {"projector.0.weight": (512, 1024), "projector.2.weight": (512, 512)}
_COLBERT_HEAD: Mapping[str, Shapes] = {f"v{i}": {"linear.weight": (128, width)} for i, width in ((1, 768), (2, 1024))}
# Elements of the image side and of the temperature of jina-clip, which its count contains.
_CLIP_V1_REST, _CLIP_V2_REST = 85_869_312 + 1, 304_382_912 + 1

CHECKPOINTS: dict[str, Checkpoint] = {
    "jina-embeddings-v2-small-en": Checkpoint(
        config=_JINA_BERT | _SMALL, layout=jina_bert, dtype="F16", count=32_690_688
    ),
    "jina-embeddings-v2-base-en": Checkpoint(config=_JINA_BERT, layout=jina_bert, dtype="F16", count=137_368_320),
    "jina-embeddings-v2-base-de": Checkpoint(config=_JINA_BERT | _BPE, layout=jina_bert, dtype="F16", megabytes=322),
    # Its config.json was not seen, only its size and the kind of its vocabulary.
    "jina-embeddings-v2-base-zh": Checkpoint(config=_JINA_BERT | _BPE, layout=jina_bert, dtype="F16", megabytes=322),
    "jina-embeddings-v2-base-code": Checkpoint(
        config=_JINA_BERT | _BPE | _CODE, layout=jina_bert_code, dtype="F16", megabytes=322
    ),
    "jina-embeddings-v3": Checkpoint(config=V3, layout=_XLM_PLAIN, dtype="BF16", count=572_310_396),
    "jina-colbert-v1-en": Checkpoint(
        config=_JINA_BERT | _COLBERT_V1,
        layout=partial(jina_bert, prefix="bert.", beside=_COLBERT_HEAD["v1"]),
        dtype="F32",
        megabytes=550,
    ),
    "jina-colbert-v2": Checkpoint(
        config=_COLBERT_V2,
        layout=partial(_XLM_PLAIN, beside=_COLBERT_HEAD["v2"]),
        dtype="BF16",
        count=559_366_144,
        uncounted=("linear.weight",),
        megabytes=1119,
    ),
    "jina-reranker-v1-tiny-en": Checkpoint(
        config=_RERANKER_V1,
        layout=partial(jina_bert, prefix="bert.", labels=1),
        dtype="F16",
        megabytes=66.1,
        classifies=True,
    ),
    "jina-reranker-v1-turbo-en": Checkpoint(
        config=_RERANKER_V1 | {"num_hidden_layers": 6},
        layout=partial(jina_bert, prefix="bert.", labels=1),
        dtype="F16",
        count=37_771_777,
        megabytes=75.6,
        classifies=True,
    ),
    "jina-reranker-v2-base-multilingual": Checkpoint(
        config=_RERANKER_V2,
        layout=partial(jina_xlm_roberta, pooler=False, labels=1),
        dtype="BF16",
        megabytes=557,
        classifies=True,
    ),
    "jina-clip-v1": Checkpoint(
        config=_JINA_BERT,
        layout=partial(jina_bert_flash, prefix="text_model.transformer."),
        dtype="F32",
        count=222_647_041 - _CLIP_V1_REST,
        prefix="text_model.transformer.",
    ),
    "jina-clip-v2": Checkpoint(
        config=_CLIP_V2_TEXT,
        layout=partial(jina_xlm_roberta, prefix="text_model.transformer.roberta.", pooler=False),
        dtype="BF16",
        count=865_278_477 - _CLIP_V2_REST,
        prefix="text_model.transformer.roberta.",
    ),
    "jina-embeddings-v5-text-small": Checkpoint(
        config=_QWEN3_SMALL | {"model_type": "jina_embeddings_v5"},
        layout=llama_like,
        dtype="BF16",
        count=596_049_920,
        adapters=dict.fromkeys(V5_TASKS, 20_185_088),
    ),
    "jina-embeddings-v5-text-nano": Checkpoint(
        config=_V5_NANO,
        layout=llama_like,
        dtype="BF16",
        count=211_766_016,
        megabytes=423.5,
        adapters=dict.fromkeys(V5_TASKS, 6_782_976),
    ),
    # Whether the names of these two begin with "model." is not known; both do here, and `llama_like` gives the other.
    "jina-code-embeddings-0.5b": Checkpoint(
        config=_QWEN2_CODER, layout=partial(llama_like, prefix="model."), dtype="BF16", megabytes=988
    ),
    "jina-code-embeddings-1.5b": Checkpoint(
        config=_QWEN2_CODER | _CODER_BIG, layout=partial(llama_like, prefix="model."), dtype="BF16", megabytes=3087
    ),
    "jina-reranker-v3": Checkpoint(
        config=_QWEN3_SMALL
        | {"model_type": "qwen3", "architectures": ["JinaForRanking"], "max_position_embeddings": 131072},
        layout=partial(llama_like, prefix="model.", beside=_LISTWISE_HEAD),
        dtype="BF16",
        count=596_836_352,
    ),
}

# Sizes of Qwen2.5-0.5B and -1.5B. The context and the rotation, on which no tensor depends, were seen of ReaderLM-v2
# alone. Counts are the catalog's: that of ReaderLM-v2 contains a head of its own, the others none.
_READER_LM: Config = _QWEN2_CODER | {"architectures": ["Qwen2ForCausalLM"]}
_READER_LM_V2: Config = {
    **_READER_LM,
    **_CODER_BIG,
    "max_position_embeddings": 512768,
    "rope_theta": 5_000_000,
    "tie_word_embeddings": False,
}

GENERATORS: dict[str, Checkpoint] = {
    "ReaderLM-v2": Checkpoint(config=_READER_LM_V2, layout=causal_llama_like, dtype="BF16", count=1_777_088_000),
    "reader-lm-0.5b": Checkpoint(config=_READER_LM, layout=causal_llama_like, dtype="BF16", count=494_032_768),
    "reader-lm-1.5b": Checkpoint(
        config=_READER_LM | _CODER_BIG, layout=causal_llama_like, dtype="BF16", count=1_543_714_304
    ),
}
