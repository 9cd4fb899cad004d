"""A causal checkpoint of random weights with a chat template, small enough to write and load in a test."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from tiny_checkpoints import TEXTS
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from jina_components import ReaderLM
from jina_components.models.loading import LoadOptions

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
# As Qwen2's, in the form that ReaderLM-v2 has it: a system turn of its own.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nBe exact.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
VOCABULARY = 320
FLOAT32 = LoadOptions(precision="float32")


@cache
def qwen_tokenizer() -> Tokenizer:
    """Byte-level BPE over composed characters (NFC), so that most of other scripts takes several tokens each."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*TEXTS, "<div><p>```html\n</p></div>" * 3], trainer)
    return tokenizer


def save_generator(folder: Path, *, seed: int = 0, template: str | None = CHAT_TEMPLATE, **settings: Any) -> Path:
    """Write a Qwen2 checkpoint of random weights; `settings` override its config."""
    config = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": VOCABULARY + 8, "max_position_embeddings": 4096,
        "initializer_range": 0.5, "tie_word_embeddings": True, "bos_token_id": 0, "eos_token_id": 2,
    }  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**config | settings))
    model.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(qwen_tokenizer().to_str()),
        eos_token="<|im_end|>", pad_token="<|endoftext|>", additional_special_tokens=["<|im_start|>"],
        chat_template=template,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def small_reader_lm(folder: Path, **settings: Any) -> ReaderLM:
    """A model with room for 250 tokens of prompt."""
    save_generator(folder, max_position_embeddings=255)
    return ReaderLM(folder, precision="float32", max_tokens=5, **settings)


def count_tokens(model):
    """A list that grows with each token of the model's from now on."""
    written, tokens = [], model._backend.tokens

    def noted(*args, **settings):
        for token in tokens(*args, **settings):
            written.append(token)
            yield token

    model._backend.tokens = noted
    return written
