"""The recipe end to end on a tiny random teacher, and the folder it made that ships with the package."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file
from tiny_teacher import WORDS
from tokenizers import Tokenizer

from jina_components.errors import ConfigError, ModelFilesError
from jina_components.fine_tuner.recipes.data.sources import Source
from jina_components.fine_tuner.recipes.data.table_texts import SOURCES, collect
from jina_components.fine_tuner.recipes.distill_static import distill, main, quantize
from jina_components.fine_tuner.recipes.static.quality import static_encoder

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

BUNDLED = Path(__file__).parents[3] / "jina_components" / "models" / "bundled" / "static-minilm-v1"
TEXTS = ["Hello world!", "worlds, hello word3", "word7 unheard word9", ""]


@pytest.fixture(scope="session")
def distilled(teacher, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "static-tiny"
    main(["--teacher", str(teacher), "--to", str(folder), "--dimensions", "16"])
    return folder


def by_hand(folder, text):
    """The normalised mean of the rows of a text's tokens, from the files alone."""
    tensors = load_file(folder / "model.safetensors")
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
    rows = tensors["embeddings"][ids].astype(np.float32) * tensors["weights"][ids][:, None]
    mean = rows.mean(axis=0) if ids else np.zeros(rows.shape[1])
    return mean / max(np.linalg.norm(mean), 1e-12)


def sentence_transformer(folder):
    return pytest.importorskip("sentence_transformers").SentenceTransformer(str(folder), device="cpu")


def test_vocabulary_drops_unused_and_special_tokens(distilled):
    tokenizer = Tokenizer.from_file(str(distilled / "tokenizer.json"))
    assert sorted(tokenizer.get_vocab(), key=tokenizer.token_to_id) == ["[PAD]", "[UNK]", *WORDS]
    assert tokenizer.encode("Hello worlds!").tokens == ["hello", "world", "##s", "!"]
    tensors = load_file(distilled / "model.safetensors")
    assert tensors["embeddings"].dtype == np.int8
    assert tensors["embeddings"].shape == (len(WORDS) + 2, 16)
    assert not tensors["weights"][:2].any()


def test_sentence_transformers_loads_the_folder_and_vectors_are_the_mean_of_rows(distilled):
    vectors = sentence_transformer(distilled).encode(TEXTS)
    expected = np.stack([by_hand(distilled, text) for text in TEXTS])
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    np.testing.assert_allclose(static_encoder(distilled)(TEXTS), expected, atol=1e-6)


def test_a_second_run_makes_the_same_folder(teacher, distilled, tmp_path):
    again = tmp_path / distilled.name
    distill(str(teacher), again, dimensions=16)
    for file in distilled.iterdir():
        assert (again / file.name).read_bytes() == file.read_bytes(), file.name


def test_fitting_follows_the_teacher_resumes_and_fills_the_card(teacher, distilled, quality_data, tmp_path):
    texts = [f"word{i % 40} word{(i * 7) % 40} hello" for i in range(300)]
    sources = [Source("made-up texts", "CC0", 200, lambda _: texts)]
    folder, cache = tmp_path / "fitted", tmp_path / "cache"

    def run():
        distill(str(teacher), folder, dimensions=16, data=quality_data, cache=cache, sources=sources)
        return (folder / "model.safetensors").read_bytes()

    first = run()
    kept = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert run() == first
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == kept
    assert first != (distilled / "model.safetensors").read_bytes()
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "| made-up texts | up to 200 | CC0 |" in card
    assert "CoSQA, dev, nDCG@10 |" in card
    assert "license: mit\n" in card


def test_plain_card_says_that_nothing_was_measured(distilled):
    assert "Not measured" in (distilled / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("dimensions", [0, 33])
def test_dimensions_beyond_the_teacher_are_refused(teacher, tmp_path, dimensions):
    with pytest.raises(ConfigError, match="dimensions must be within 1 and 32"):
        distill(str(teacher), tmp_path / "out", dimensions=dimensions)


def test_an_incomplete_teacher_is_named(tmp_path):
    with pytest.raises(ModelFilesError, match=r"has no config\.json"):
        distill(str(tmp_path), tmp_path / "out")


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"train_paras\.jsonl\.gz is missing"):
        collect(tmp_path, SOURCES, seed=0)


def test_texts_are_distinct_limited_and_seeded(tmp_path):
    source = Source("doubles", "CC0", 5, lambda _: [f"text {i % 9}" for i in range(50)] + [" "])
    drawn = collect(tmp_path, [source], seed=1)
    assert len(set(drawn)) == len(drawn) == 5
    assert drawn == collect(tmp_path, [source], seed=1)
    assert drawn != collect(tmp_path, [source], seed=2)


@given(arrays(np.float32, (4, 8), elements=st.floats(-100, 100, width=32)))
def test_quantization_is_off_by_half_a_step_at_most(table):
    rows, scales = quantize(table)
    assert np.abs(rows * scales[:, None] - table).max() <= scales.max() * 0.5 + 1e-4


def test_the_bundled_model_is_small_described_and_int8():
    assert sum(file.stat().st_size for file in BUNDLED.iterdir()) <= 10_000_000
    card = (BUNDLED / "README.md").read_text(encoding="utf-8")
    assert "all-MiniLM-L6-v2" in card
    assert "license: apache-2.0" in card
    tensors = load_file(BUNDLED / "model.safetensors")
    assert tensors["embeddings"].dtype == np.int8
    tokenizer = Tokenizer.from_file(str(BUNDLED / "tokenizer.json"))
    assert tensors["embeddings"].shape == (tokenizer.get_vocab_size(), 256)


@pytest.mark.slow
def test_sentence_transformers_loads_the_bundled_model():
    texts = ["How do I reset my password?", "Steps to change a forgotten login", "Penguins live in the south"]
    vectors = sentence_transformer(BUNDLED).encode(texts)
    np.testing.assert_allclose(vectors, [by_hand(BUNDLED, text) for text in texts], atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
