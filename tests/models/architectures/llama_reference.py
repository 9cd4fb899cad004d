"""What llama.cpp, an independent implementation, gives for random weights of ours; the tests compare with it.

    python tests/models/architectures/llama_reference.py

writes llama_reference.npz again, in an environment with numpy, gguf and llama-cpp-python (0.19.0 and 0.3.36 were used;
the tests need none of these). The weights are made of a seed in the published layouts, and stored as a GGUF in float32.

Everything in llama.cpp is then float32 (no flash attention; an encoder has no cache) but GELU: on a CPU it is the
approximation by tanh, looked up in a table of half precision. At the size of real features that makes a difference of
1e-3; with less for it to do (`QUIET`) one below 1e-4.
"""

from __future__ import annotations

import ctypes
import itertools
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from layout_shapes import Config, random_tensors
from published_layouts import CHECKPOINTS

GOLDEN = Path(__file__).with_suffix(".npz")
LENGTHS = (1, 33)
# What feed-forwards are given and give; `layout_shapes.random_tensors`.
QUIET, LOUD = (0.4, 0.1), (1.0, 1.0)
SIZES = {"quiet": QUIET, "loud": LOUD}
_SEED = 5
_SIZES = {"hidden_size": 96, "intermediate_size": 160, "num_hidden_layers": 2, "vocab_size": 300}
Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A checkpoint and the adapter that is merged into it, -1 for none."""

    checkpoint: str
    architecture: str
    heads: int
    task: int = -1

    @property
    def config(self) -> Config:
        """Its config.json."""
        return {**CHECKPOINTS[self.checkpoint].config, **_SIZES, "num_attention_heads": self.heads}

    def tensors(self, size: str) -> Tensors:
        """Its weights in the published layout."""
        return random_tensors(CHECKPOINTS[self.checkpoint].layout(self.config), seed=_SEED, feed_forward=SIZES[size])


CASES = {
    "english": Case("jina-embeddings-v2-small-en", "jina-bert-v2", 4),
    "english, six heads": Case("jina-embeddings-v2-small-en", "jina-bert-v2", 6),
    "code": Case("jina-embeddings-v2-base-code", "jina-bert-v2", 4),
    "v3": Case("jina-embeddings-v3", "jina-bert-v3", 4),
    "v3, first task": Case("jina-embeddings-v3", "jina-bert-v3", 4, 0),
    "v3, last task": Case("jina-embeddings-v3", "jina-bert-v3", 4, 4),
}
# A stem's name in a GGUF, with that of the layer put before it.
_TABLES = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
    "emb_ln": "token_embd_norm",
}
_IN_LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.self.layer_norm_q": "attn_q_norm",
    "attention.self.layer_norm_k": "attn_k_norm",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "layer_norm_1": "attn_norm_2",
    "layer_norm_2": "layer_output_norm",
    "mlp.gated_layers": "ffn_up",
    "mlp.up_gated_layer": "ffn_up",
    "mlp.down_layer": "ffn_down",
    "mlp.wo": "ffn_down",
    "mlp.layernorm": "layer_output_norm",
    "mixer.Wqkv": "attn_qkv",
    "mixer.out_proj": "attn_output",
    "mlp.fc1": "ffn_up",
    "mlp.fc2": "ffn_down",
    "norm1": "attn_output_norm",
    "norm2": "layer_output_norm",
}


def token_ids(length: int) -> np.ndarray:
    """Token ids of a text."""
    return np.random.default_rng(length).integers(5, _SIZES["vocab_size"], size=length).astype(np.int32)


def first_numbers(tensors: Tensors) -> np.ndarray:
    """By which a test tells other weights from another result."""
    return np.array([tensor.flat[0] for tensor in tensors.values()])


def merged(case: Case, tensors: Tensors) -> Tensors:
    """The weights with the adapter of the case added, named as if there were none."""
    scale, result = case.config.get("lora_alpha", 0) / case.config.get("lora_rank", 1), {}
    for name, tensor in tensors.items():
        if "lora_" in name:
            continue
        if name.endswith(".original") and case.task >= 0:
            first, last = (tensors[name.replace("original", f"0.lora_{side}")][case.task] for side in "AB")
            tensor = tensor + scale * (first @ last if "embeddings" in name else last @ first)
        result[name.removeprefix("roberta.").replace("parametrizations.weight.original", "weight")] = tensor
    return result


def named_for_llama(tensors: Mapping[str, np.ndarray]) -> Tensors:
    """Tensors under the names of a GGUF.

    Where two matrices are one, llama.cpp activates its first half; the variant for code, whose second half it is that
    is activated, therefore gets two.
    """
    result: Tensors = {}
    for name, tensor in tensors.items():
        stem, part = name.rsplit(".", 1)
        if stem == "pooler.dense":
            continue
        if stem in _TABLES:
            result[f"{_TABLES[stem]}.{part}"] = tensor
            continue
        _, _, number, inside = stem.split(".", 3)
        if inside == "mlp.up_gated_layer":
            tensor, result[f"blk.{number}.ffn_gate.{part}"] = np.split(tensor, 2)
        result[f"blk.{number}.{_IN_LAYER[inside]}.{part}"] = tensor
    return result


def write_gguf(path: Path, case: Case, tensors: Tensors) -> None:
    """Write the weights of a case, without a vocabulary: it is given token ids."""
    import gguf

    config, writer = case.config, gguf.GGUFWriter(path, case.architecture)
    writer.add_context_length(512)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_rope_freq_base(config.get("rotary_emb_base", 10000.0))
    writer.add_tokenizer_model("no_vocab")
    writer.add_token_type_count(config["type_vocab_size"])
    for name, tensor in named_for_llama(merged(case, tensors)).items():
        writer.add_tensor(name, np.ascontiguousarray(tensor, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def run_llama(path: Path, hidden: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function from token ids to token vectors, [tokens, hidden]."""
    import llama_cpp as llama

    llama.llama_backend_init()
    model = llama.llama_model_load_from_file(str(path).encode(), llama.llama_model_default_params())
    settings: Any = llama.llama_context_default_params()
    settings.n_ctx = settings.n_batch = settings.n_ubatch = 512
    settings.n_threads = settings.n_threads_batch = 1
    settings.embeddings, settings.pooling_type = True, llama.LLAMA_POOLING_TYPE_NONE
    settings.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
    settings.type_k = settings.type_v = llama.GGML_TYPE_F32
    context = llama.llama_init_from_model(model, settings)

    def run(ids: np.ndarray) -> np.ndarray:
        batch = llama.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for place, token in enumerate(ids.tolist()):
            batch.token[place], batch.pos[place], batch.n_seq_id[place] = token, place, 1
            batch.seq_id[place][0], batch.logits[place] = 0, True
        if llama.llama_encode(context, batch):
            raise RuntimeError(f"llama.cpp did not run {path}.")
        pointer = ctypes.cast(llama.llama_get_embeddings(context), ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(pointer, (len(ids), hidden)).copy()

    return run


def main() -> None:
    """Run every case and write the file."""
    results: Tensors = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, size in itertools.product(CASES, SIZES):
            case, path = CASES[name], Path(folder) / "weights.gguf"
            tensors = case.tensors(size)
            write_gguf(path, case, tensors)
            run = run_llama(path, case.config["hidden_size"])
            results[f"{name}: {size}"] = first_numbers(tensors)
            results |= {f"{name}: {size}: {length}": run(token_ids(length)) for length in LENGTHS}
    np.savez_compressed(GOLDEN, allow_pickle=False, **results)


if __name__ == "__main__":
    main()
