from __future__ import annotations

from itertools import islice

import pytest
import torch
import transformers
from tiny_generators import CHAT_TEMPLATE, VOCABULARY, save_generator

from jina_components.errors import BackendError, ConfigError, ModelFilesError
from jina_components.models.backends import generating
from jina_components.models.backends.generating import TorchGenerator, around_user_turn

PROMPT = [1, 30, 40, 50, 60, 70, 80, 30, 40, 2, 90]


def wanted(folder, prompt, length, penalty):
    """What transformers' own greedy search gives, without any stop token."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None
    ids = torch.tensor([prompt])
    output = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=length, do_sample=False, repetition_penalty=penalty
    )
    return output[0, len(prompt) :].tolist()


def written(folder, prompt, length, penalty, **settings):
    steps = TorchGenerator(folder, device="cpu", precision="float32", **settings).tokens(
        prompt, repetition_penalty=penalty
    )
    return list(islice((token for token in steps if token is not None), length))


@pytest.mark.parametrize("penalty", [1.0, 1.08, 1.5, 0.9])
@pytest.mark.parametrize("settings", [{}, {"tie_word_embeddings": False, "seed": 1}, {"num_key_value_heads": 4}])
def test_tokens_are_those_of_transformers(tmp_path, penalty, settings):
    folder = save_generator(tmp_path, **settings)
    tokens = written(folder, PROMPT, 60, penalty)
    assert tokens == wanted(folder, PROMPT, 60, penalty)
    assert len(set(tokens)) > 1


@pytest.mark.parametrize("chunk", [1, 4, 11])
def test_a_prompt_in_parts_gives_the_same(tmp_path, monkeypatch, chunk):
    folder = save_generator(tmp_path)
    whole = written(folder, PROMPT, 30, 1.08)
    monkeypatch.setattr(generating, "_CPU_CHUNK", chunk)
    assert written(folder, PROMPT, 30, 1.08) == whole
    steps = TorchGenerator(folder, device="cpu", precision="float32").tokens(PROMPT, repetition_penalty=1.0)
    first = [next(steps) for _ in range(-(-len(PROMPT) // chunk))]
    assert first[:-1] == [None] * (len(first) - 1)
    assert first[-1] is not None


def test_other_precisions_and_devices(tmp_path):
    folder = save_generator(tmp_path)
    assert TorchGenerator(folder, device="cpu").precision in ("float32", "bfloat16")
    with pytest.raises(ConfigError, match="float16"):
        TorchGenerator(folder, device="cpu", precision="float16")
    with pytest.raises(ConfigError, match="not available"):
        TorchGenerator(folder, device="cuda:99")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(tmp_path):
    folder = save_generator(tmp_path)
    steps = TorchGenerator(folder, device="cuda", precision="float32").tokens(PROMPT, repetition_penalty=1.08)
    assert list(islice(steps, 30)) == written(folder, PROMPT, 30, 1.08)
    assert TorchGenerator(folder, device="cuda").precision == "bfloat16"


def test_nan_is_an_error(tmp_path):
    save_generator(tmp_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    model.model.norm.weight.data.fill_(torch.nan)
    model.save_pretrained(tmp_path)
    with pytest.raises(BackendError, match="NaN"):
        written(tmp_path, PROMPT, 1, 1.08)


def test_tensors_must_be_there(tmp_path):
    save_generator(tmp_path, tie_word_embeddings=False)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    del model.lm_head
    model.save_pretrained(tmp_path)
    with pytest.raises(ModelFilesError, match=r"lm_head\.weight"):
        TorchGenerator(tmp_path, device="cpu")


def test_the_vocabulary_is_the_models(tmp_path):
    assert TorchGenerator(save_generator(tmp_path), device="cpu").vocabulary == VOCABULARY + 8


def test_around_a_users_turn(tmp_path):
    before, after = around_user_turn(save_generator(tmp_path))
    assert before == "<|im_start|>system\nBe exact.<|im_end|>\n<|im_start|>user\n"
    assert after == "<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, "chat template"),
        ("{{ nonsense(", "chat template"),
        ("{{ raise_exception('only images') }}", "only images"),
        ("fixed text", "user's turn once"),
        (CHAT_TEMPLATE * 2, "user's turn once"),
        ("{{ messages[0].content.__class__.__mro__[1].__subclasses__() }}", "chat template"),
    ],
)
def test_templates_that_do_not_serve(tmp_path, template, message):
    with pytest.raises(ModelFilesError, match=message):
        around_user_turn(save_generator(tmp_path, template=template))
