"""LoRA folders over Qwen2, Qwen3 and EuroBERT against transformers with the adapters merged into the weights."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoints import DECODERS, random_sequences, run_transformers, save_checkpoint

from jina_components.errors import ModelFilesError
from jina_components.models.architectures import decoder
from jina_components.models.backends.packed import load_packed
from jina_components.models.sequences import TokenSequence

CPU = torch.device("cpu")
# Of values up to 4. Measured: 6e-5 at most.
NEAR = 1e-4


def read(folder):
    return decoder.read_weights(folder, json.loads((folder / "config.json").read_text()), with_head=False)


def token_vectors(folder, batch):
    """Token vectors by our packed encoder in float32, in the order of the batch."""
    vectors = {}
    for hidden in load_packed(read(folder), CPU, "float32", ())(batch):
        vectors |= dict(zip(hidden.rows, hidden.vectors.numpy(), strict=True))
    return [vectors[row] for row in range(len(batch))]


def assert_near(got, wanted):
    for ours, theirs in zip(got, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=NEAR, rtol=0)


PROJECTIONS = (
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
    "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
)  # fmt: skip


def adapter_config(**changes):
    """As peft writes it."""
    return {
        "peft_type": "LORA", "task_type": "FEATURE_EXTRACTION", "r": 4, "lora_alpha": 8, "lora_dropout": 0.1,
        "bias": "none", "use_rslora": False, "use_dora": False, "fan_in_fan_out": False, "lora_bias": False,
        "modules_to_save": None, "rank_pattern": {}, "alpha_pattern": {}, "exclude_modules": None,
        "layers_to_transform": None, "target_modules": [name.split(".")[1] for name in PROJECTIONS],
    } | changes  # fmt: skip


def layer_weights(folder, prefix=""):
    """Weights of the linear layers by their names without a prefix."""
    tensors = load_file(folder / "model.safetensors")
    return {name.removeprefix(prefix): tensors[name] for name in tensors if "_proj.weight" in name}


def save_adapter(folder, name, *, only=PROJECTIONS, key="base_model.model.", seed=0, prefix="", **changes):
    """Write an adapter; what it adds to each weight, by the weight's name."""
    config, random = adapter_config(**changes), torch.Generator().manual_seed(seed)
    scale = config["lora_alpha"] / (math.sqrt(config["r"]) if config["use_rslora"] else config["r"])
    factors, added = {}, {}
    for weight_name, weight in layer_weights(folder, prefix).items():
        if not any(part in weight_name for part in only):
            continue
        layer = weight_name.removesuffix(".weight")
        down = torch.randn(config["r"], weight.shape[1], generator=random) * 0.3
        up = torch.randn(len(weight), config["r"], generator=random) * 0.3
        factors |= {f"{key}{layer}.lora_A.weight": down, f"{key}{layer}.lora_B.weight": up}
        added[prefix + weight_name] = scale * up.double() @ down.double()
    target = folder / "adapters" / name
    target.mkdir(parents=True)
    (target / "adapter_config.json").write_text(json.dumps(config))
    save_file(factors, target / "adapter_model.safetensors")
    return added


def run_merged(base, target, added, batch):
    """What transformers gives with an adapter merged into the weights."""
    tensors = load_file(base / "model.safetensors")
    merged = {name: (tensor.double() + added.get(name, 0)).float() for name, tensor in tensors.items()}
    target.mkdir()
    save_file(merged, target / "model.safetensors", {"format": "pt"})
    (target / "config.json").write_text((base / "config.json").read_text())
    return run_transformers(target, batch)


def with_adapters(batch, numbers):
    return [TokenSequence(sequence.ids, adapter=number) for sequence, number in zip(batch, numbers, strict=True)]


@pytest.mark.parametrize("family", DECODERS)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"use_rslora": True},
        {"r": 1, "lora_alpha": 3},
        {"lora_alpha": 32, "r": 32},
        {"only": ("self_attn.q_proj", "self_attn.v_proj")},
        {"only": ("mlp.down_proj", "self_attn.o_proj")},
        {"only": ("layers.1.mlp.gate_proj",)},
    ],
    ids=str,
)
def test_an_adapter_is_as_if_merged(tmp_path, family, changes):
    folder, batch = save_checkpoint(tmp_path / "base", family), random_sequences([1, 30, 7, 64])
    added = save_adapter(folder, "retrieval", **changes)
    assert added
    assert read(folder).stack.adapters == decoder.adapter_names(folder) == ("retrieval",)
    wanted = run_merged(folder, tmp_path / "merged", added, batch)
    assert_near(token_vectors(folder, with_adapters(batch, [0] * len(batch))), wanted)
    assert (
        max(np.abs(left - right).max() for left, right in zip(wanted, token_vectors(folder, batch), strict=True)) > 0.1
    )
    assert_near(token_vectors(folder, batch), run_transformers(folder, batch))


@pytest.mark.parametrize("family", DECODERS)
@pytest.mark.parametrize("key", ["base_model.model.", "base_model.model.model."])
@pytest.mark.parametrize("head", [False, True])
def test_names_of_an_adapter_with_and_without_a_prefix(tmp_path, family, key, head):
    folder = save_checkpoint(
        tmp_path / "base", family, head=("ForMaskedLM" if family == "eurobert" else "ForCausalLM") if head else "Model"
    )
    added = save_adapter(folder, "code", key=key, prefix="model." if head else "")
    batch = random_sequences([4, 30])
    assert_near(
        token_vectors(folder, with_adapters(batch, [0] * len(batch))),
        run_merged(folder, tmp_path / "merged", added, batch),
    )


@pytest.mark.parametrize("family", DECODERS)
def test_adapters_of_a_pass_are_each_their_own(tmp_path, family):
    """In the order of their names, of different ranks, one of them of some layers only."""
    folder, batch = save_checkpoint(tmp_path / "base", family), random_sequences([9, 30, 9, 1, 64, 9, 30])
    added = [
        save_adapter(folder, "text-matching", seed=1, r=2),
        save_adapter(folder, "classification", seed=2),
        save_adapter(folder, "retrieval", seed=3, only=("mlp.",), use_rslora=True),
    ]
    assert read(folder).stack.adapters == ("classification", "retrieval", "text-matching")
    tasks = [2, -1, 0, 1, 1, 2, 0]
    wanted = [run_transformers(folder, batch)]
    wanted += [run_merged(folder, tmp_path / str(number), added[number], batch) for number in (1, 2, 0)]
    assert_near(
        token_vectors(folder, with_adapters(batch, tasks)), [wanted[task + 1][row] for row, task in enumerate(tasks)]
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"rank_pattern": {"q_proj": 8}}, "rank_pattern"),
        ({"alpha_pattern": {"q_proj": 8}}, "alpha_pattern"),
        ({"modules_to_save": ["embed_tokens"]}, "modules_to_save"),
        ({"bias": "all"}, "biases"),
        ({"lora_bias": True}, "lora_bias"),
        ({"fan_in_fan_out": True}, "fan_in_fan_out"),
        ({"alora_invocation_tokens": [1, 2]}, "alora_invocation_tokens"),
        ({"peft_type": "IA3"}, "IA3"),
        ({"r": None}, "r"),
        ({"lora_alpha": None}, "lora_alpha"),
        ({"r": 0}, "r"),
    ],
    ids=str,
)
def test_adapters_of_other_kinds_are_refused(tmp_path, changes, said):
    folder = save_checkpoint(tmp_path, "qwen3")
    save_adapter(folder, "retrieval")
    path = folder / "adapters/retrieval/adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ModelFilesError, match=f"retrieval.*{said}"):
        read(folder)


def change_adapter(folder, change):
    path = folder / "adapters/retrieval/adapter_model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


LAYER = "base_model.model.layers.0.self_attn.k_proj.lora_"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: tensors.pop(f"{LAYER}A.weight"), "factors of layers.0.self_attn.k_proj do not fit"),
        (lambda tensors: tensors.pop(f"{LAYER}B.weight"), "factors of layers.0.self_attn.k_proj do not fit"),
        (lambda tensors: tensors.update({f"{LAYER}A.weight": torch.zeros(4, 31)}), "do not fit its weight of 32 x 32"),
        (lambda tensors: tensors.update({f"{LAYER}B.weight": torch.zeros(31, 4)}), "do not fit its weight of 32 x 32"),
        (lambda tensors: tensors.update({f"{LAYER}B.weight": torch.zeros(32, 3)}), "do not fit its weight of 32 x 32"),
        (
            lambda tensors: tensors.update(
                {f"{LAYER}A.weight": torch.zeros(3, 32), f"{LAYER}B.weight": torch.zeros(32, 3)}
            ),
            "do not fit",
        ),
        (lambda tensors: tensors.update({f"{LAYER}A.weight": torch.zeros(4)}), "do not fit"),
        (lambda tensors: tensors.update({f"{LAYER}B.bias": torch.zeros(32)}), "lacks, such as .*k_proj.lora_B.bias"),
        (lambda tensors: tensors.update({f"{LAYER}magnitude_vector": torch.zeros(32)}), "lacks, such as"),
        (lambda tensors: tensors.update({"base_model.model.layers.2.mlp.up_proj.lora_A.weight": torch.zeros(4, 32)}),
         r"lacks, such as 'layers\.2\.mlp"),
        (lambda tensors: tensors.update({"base_model.model.embed_tokens.lora_embedding_A": torch.zeros(4, 300)}),
         "lacks, such as 'embed_tokens"),
    ],
    ids=["no A", "no B", "columns", "rows", "ranks", "other rank", "a vector", "bias", "dora", "layer", "words"],
)  # fmt: skip
def test_tensors_of_an_adapter_that_do_not_fit_are_refused(tmp_path, change, said):
    folder = save_checkpoint(tmp_path, "qwen3")
    save_adapter(folder, "retrieval")
    change_adapter(folder, change)
    with pytest.raises(ModelFilesError, match=f"retrieval.*{said}"):
        read(folder)


def test_an_adapter_without_its_tensors_is_refused(tmp_path):
    folder = save_checkpoint(tmp_path, "qwen3")
    save_adapter(folder, "retrieval")
    (folder / "adapters/retrieval/adapter_model.safetensors").unlink()
    with pytest.raises(ModelFilesError, match="adapter_model.safetensors"):
        read(folder)
