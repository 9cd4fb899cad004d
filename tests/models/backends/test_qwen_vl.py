"""jina-embeddings-v4 and jina-reranker-m0 against transformers' own classes, with adapters merged into the weights."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tiny_vision_models import (
    ALPHA,
    MAX_PIXELS,
    MIN_PIXELS,
    RANK,
    SCORE_TOKEN,
    TASKS,
    picture,
    qwen_tokenizer,
    save_m0,
    save_v4,
    token,
    v4_config,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from jina_components.core.vectors import normalize
from jina_components.errors import ConfigError
from jina_components.models.backends.linear import choose_precision
from jina_components.models.backends.qwen_vl import (
    PROJECTOR,
    SCORE,
    QwenEmbeddingBackend,
    QwenScoringBackend,
    QwenTokenBackend,
    QwenVL,
)
from jina_components.models.sequences import TokenSequence
from jina_components.models.vision_prompts import Marker, PairPrompts, VisionPrompts

CLASSES = {
    "qwen2_vl": transformers.Qwen2VLForConditionalGeneration,
    "qwen2_5_vl": transformers.Qwen2_5_VLForConditionalGeneration,
}
TEXTS = ["Query: hello", "Passage: The quick brown fox jumps over the lazy dog.", "東京 is the capital of 日本", "a"]
SIZES = [(100, 60), (300, 40), (57, 120)]
PROMPTS = VisionPrompts(qwen_tokenizer())


def load(folder, heads, precision="float32"):
    config = json.loads((folder / "config.json").read_text())
    return QwenVL(folder, config, heads=heads, device="cpu", precision=precision)


@pytest.fixture(scope="module")
def v4_folder(tmp_path_factory):
    return save_v4(tmp_path_factory.mktemp("v4"))


@pytest.fixture(scope="module")
def v4(v4_folder):
    return load(v4_folder, [PROJECTOR])


@pytest.fixture(scope="module")
def m0_folder(tmp_path_factory):
    return save_m0(tmp_path_factory.mktemp("m0"))


@pytest.fixture(scope="module")
def m0(m0_folder):
    return load(m0_folder, SCORE)


@pytest.fixture(scope="module")
def reference(tmp_path_factory, v4_folder):
    """What transformers makes of an input with a task's adapters merged into the weights."""

    @cache
    def merged(task):
        tensors = load_file(v4_folder / "model.safetensors")
        factors = load_file(v4_folder / "adapters" / "adapter_model.safetensors")
        for name in tensors:
            layer = name.removesuffix(".weight").removeprefix("model.")
            inner = f"model.language_model.{layer}" if name.startswith("model.") else layer
            key = f"base_model.model.{inner}.lora_{{}}.{task}.weight"
            if key.format("A") in factors:
                tensors[name] = tensors[name] + factors[key.format("B")] @ factors[key.format("A")] * (ALPHA / RANK)
        folder = tmp_path_factory.mktemp("merged")
        projector = tensors.pop(f"{PROJECTOR}.weight"), tensors.pop(f"{PROJECTOR}.bias")
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps(v4_config()))
        return plain(folder, "qwen2_5_vl"), projector

    return merged


def plain(folder, kind):
    return CLASSES[kind].from_pretrained(folder, dtype=torch.float32).eval().model


def hidden_states(model, ids, pictures=()):
    """Token vectors that transformers gives, of one input on its own."""
    inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
    if pictures:
        limits = {"shortest_edge": MIN_PIXELS, "longest_edge": MAX_PIXELS}
        inputs |= Qwen2VLImageProcessorPil(size=limits)(images=list(pictures), return_tensors="pt")
        inputs["mm_token_type_ids"] = (inputs["input_ids"] == token("image_pad")).int()
    with torch.inference_mode():
        return model(**inputs).last_hidden_state[0]


def with_image_tokens(text, processor, *pictures):
    """Ids of a text in which every <|image_pad|> is as many as its image needs."""
    counts = iter(processor.tokens(*one.size) for one in pictures)
    ids = []
    for number in qwen_tokenizer().encode(text).ids:
        ids += [number] * (next(counts) if number == token("image_pad") else 1)
    return ids


def text_sequences(texts, adapters=(-1,)):
    sequences = PROMPTS.sequences([[text] for text in texts])
    return [
        TokenSequence(sequence.ids, adapter=adapters[place % len(adapters)]) for place, sequence in enumerate(sequences)
    ]


def every_token(sequence):
    spans = np.array([(place, place + 1) for place in range(len(sequence))], np.int32)
    return TokenSequence(sequence.ids, adapter=sequence.adapter, spans=spans, images=sequence.images)


def mixed_batch(processor):
    """Texts and images of all tasks, and of none."""
    images = [
        PROMPTS.image(processor(picture(*size, seed=place)), adapter=place % 3) for place, size in enumerate(SIZES)
    ]
    return [*text_sequences(TEXTS, (0, 1, 2, -1)), *images]


@pytest.mark.parametrize("task", TASKS)
def test_the_mean_of_a_text_is_that_of_merged_weights(v4, reference, task):
    model, _ = reference(task)
    sequences = text_sequences(TEXTS, (TASKS.index(task),))
    vectors = QwenEmbeddingBackend(v4).run(sequences)
    for vector, sequence in zip(vectors, sequences, strict=True):
        expected = hidden_states(model, sequence.ids.tolist()).mean(0)
        assert np.abs(vector - expected.numpy()).max() < 1e-4


@pytest.mark.parametrize("size", SIZES)
def test_the_mean_of_an_image_is_over_what_stands_between_its_marks_and_these(v4, reference, size):
    model, _ = reference("code")
    image = picture(*size)
    text = "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Describe the image.<|im_end|>\n"
    ids = with_image_tokens(text, v4.processor, image)
    first, last = ids.index(token("vision_start")), ids.index(token("vision_end"))
    expected = hidden_states(model, ids, [image])[first : last + 1].mean(0)
    sequence = PROMPTS.image(v4.processor(image), adapter=TASKS.index("code"))
    assert sequence.ids.tolist() == ids
    assert np.abs(QwenEmbeddingBackend(v4).run([sequence])[0] - expected.numpy()).max() < 1e-4


@pytest.mark.parametrize("with_image", [False, True])
def test_vectors_of_tokens_are_those_of_a_merged_projector(v4, reference, with_image):
    model, (weight, bias) = reference("retrieval")
    image = picture(90, 90)
    sequence = PROMPTS.image(v4.processor(image), adapter=0, every_token=True)
    sequence = sequence if with_image else every_token(text_sequences(TEXTS[1:2], (0,))[0])
    hidden = hidden_states(model, sequence.ids.tolist(), [image] if with_image else [])
    vectors = QwenTokenBackend(v4).run([sequence])
    assert vectors.shape == (len(sequence), v4.head_widths[PROJECTOR])
    assert np.abs(normalize(vectors) - normalize((hidden @ weight.T + bias).numpy())).max() < 1e-4


def test_without_an_adapter_the_weights_are_those_of_the_file(v4, v4_folder, tmp_path):
    tensors = {
        name: tensor for name, tensor in load_file(v4_folder / "model.safetensors").items() if PROJECTOR not in name
    }
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(v4_config()))
    [sequence] = text_sequences(TEXTS[1:2])
    expected = hidden_states(plain(tmp_path, "qwen2_5_vl"), sequence.ids.tolist()).mean(0)
    assert np.abs(QwenEmbeddingBackend(v4).run([sequence])[0] - expected.numpy()).max() < 1e-4


def test_tasks_texts_and_images_mix_in_one_batch(v4):
    backend, tokens = QwenEmbeddingBackend(v4), QwenTokenBackend(v4)
    batch = mixed_batch(v4.processor)
    alone = np.concatenate([backend.run([sequence]) for sequence in batch])
    assert np.abs(backend.run(batch) - alone).max() < 1e-4
    batch = [every_token(sequence) for sequence in batch]
    alone = np.concatenate([tokens.run([sequence]) for sequence in batch])
    assert np.abs(tokens.run(batch) - alone).max() < 1e-4


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(7)), count=st.integers(1, 7))
def test_neither_order_nor_neighbours_change_a_vector(v4, order, count):
    backend, batch = QwenEmbeddingBackend(v4), mixed_batch(v4.processor)
    alone = np.concatenate([backend.run([batch[place]]) for place in order[:count]])
    assert np.abs(backend.run([batch[place] for place in order[:count]]) - alone).max() < 1e-4


def test_tasks_give_different_vectors(v4):
    [sequence] = text_sequences(TEXTS[:1])
    batch = [TokenSequence(sequence.ids, adapter=number) for number in (-1, 0, 1, 2)]
    vectors = QwenEmbeddingBackend(v4).run(batch)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert (vectors @ vectors.T)[~np.eye(4, dtype=bool)].max() < 0.99


def test_spans_are_pooled_alone_and_one_over_all_is_the_plain_vector(v4):
    backend = QwenEmbeddingBackend(v4)
    [sequence] = text_sequences(TEXTS[1:2], (1,))
    whole = TokenSequence(sequence.ids, adapter=1, spans=np.array([[0, len(sequence)]], np.int32))
    parts = TokenSequence(sequence.ids, adapter=1, spans=np.array([[0, 3], [3, len(sequence)]], np.int32))
    plain_vector, one, first, second = backend.run([sequence, whole, parts])
    assert np.array_equal(plain_vector, one)
    mean = (first * 3 + second * (len(sequence) - 3)) / len(sequence)
    assert np.abs(mean - one).max() < 1e-5


def test_placeholders_without_an_image_are_none(v4):
    backend = QwenEmbeddingBackend(v4)
    image = PROMPTS.image(v4.processor(picture(60, 60)), adapter=0)
    [written] = PROMPTS.sequences([["Passage: ", *[Marker.IMAGE] * 2, " trust me"]])
    assert (written.ids == token("image_pad")).sum() == 2
    alone = np.concatenate([backend.run([image]), backend.run([written])])
    assert np.abs(backend.run([written, image])[::-1] - alone).max() < 1e-4


def sides():
    images = [picture(*size, seed=9) for size in SIZES]
    return [("a fox?", TEXTS[1]), ("a fox?", images[0]), (images[1], TEXTS[2]), (images[2], images[0])]


@pytest.mark.parametrize("place", range(4))
def test_scores_of_texts_and_images_are_those_of_transformers(m0, m0_folder, place):
    query, document = sides()[place]
    text = "**Document**:\n{}\n**Query**:\n{}".format(*(
        side if isinstance(side, str) else "<|vision_start|><|image_pad|><|vision_end|>" for side in (document, query)
    ))  # fmt: skip
    pictures = [side for side in (document, query) if not isinstance(side, str)]
    ids = [*with_image_tokens(text, m0.processor, *pictures), SCORE_TOKEN]
    tensors = load_file(m0_folder / "model.safetensors")
    last = hidden_states(plain(m0_folder, "qwen2_vl"), ids, pictures)[-1]
    inner = torch.relu(last @ tensors["score.0.weight"].T + tensors["score.0.bias"])
    expected = inner @ tensors["score.2.weight"].T + tensors["score.2.bias"]
    prepared = [side if isinstance(side, str) else m0.processor(side) for side in (query, document)]
    [[pair]] = PairPrompts(PROMPTS, context=4096).pairs(prepared[0], [prepared[1]])
    assert pair.ids.tolist() == ids
    assert np.abs(QwenScoringBackend(m0).run([pair])[0] - expected.numpy()).max() < 1e-4


def test_pairs_score_in_any_company_as_alone(m0):
    backend, prompts = QwenScoringBackend(m0), PairPrompts(PROMPTS, context=4096)
    batch = [
        pair
        for query, document in sides()
        for [pair] in prompts.pairs(
            *((side if isinstance(side, str) else m0.processor(side)) for side in (query,)),
            [document if isinstance(document, str) else m0.processor(document)],
        )
    ]
    alone = np.concatenate([backend.run([pair]) for pair in batch])
    assert np.abs(backend.run(batch) - alone).max() < 1e-4
    assert np.abs(backend.run(batch[::-1])[::-1] - alone).max() < 1e-4


def test_int8_is_refused(v4_folder):
    with pytest.raises(ConfigError, match="int8"):
        load(v4_folder, [PROJECTOR], "int8")


def test_lower_precision_is_near(v4, v4_folder):
    try:
        choose_precision("bfloat16", torch.device("cpu"))
    except ConfigError as error:
        pytest.skip(str(error))
    batch = mixed_batch(v4.processor)
    full, half = (QwenEmbeddingBackend(model).run(batch) for model in (v4, load(v4_folder, [PROJECTOR], "bfloat16")))
    cosines = (full * half).sum(1) / np.linalg.norm(full, axis=1) / np.linalg.norm(half, axis=1)
    assert cosines.min() > 0.995
