"""Packed encoders: what a sequence gives depends on nothing beside it, at every precision."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from tiny_checkpoints import DECODERS, NATIVE, random_sequences, run_transformers, save_checkpoint

from jina_components import Embedder
from jina_components.errors import ConfigError
from jina_components.models.architectures.native import find_architecture
from jina_components.models.backends.linear import choose_precision
from jina_components.models.backends.packed import load_packed
from jina_components.models.sequences import TokenSequence

CPU = torch.device("cpu")
# Difference that neighbours may make, of values up to 4: none but the rounding of float32 sums.
NEIGHBOURS = {"float32": 1e-5, "bfloat16": 1e-5, "int8": 1e-5}
CALIBRATION = [5, 20, 40, 60, 33, 64, 10, 48]


def needs(precision, device=CPU):
    try:
        choose_precision(precision, device)
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def make_encoder(tmp_path_factory):
    base = tmp_path_factory.mktemp("packed")

    @cache
    def make(family, precision, device="cpu"):
        needs(precision, torch.device(device))
        folder = base / family
        if not folder.exists():
            save_checkpoint(folder, family)
        config = json.loads((folder / "config.json").read_text())
        architecture = find_architecture(folder, config, with_head=False)
        assert architecture is not None
        weights = architecture.read_weights(folder, config, with_head=False)
        return load_packed(weights, torch.device(device), precision, random_sequences(CALIBRATION, seed=9))

    make.folder = base
    return make


def token_vectors(encoder, batch, **options):
    """Token vectors of each sequence, float32, in the order of the batch."""
    vectors = {}
    with torch.inference_mode():
        for hidden in encoder(batch, **options):
            assert hidden.mask.shape == hidden.vectors.shape[:2]
            assert hidden.mask.all()
            vectors |= dict(zip(hidden.rows, hidden.vectors.float().cpu().numpy(), strict=True))
    assert sorted(vectors) == list(range(len(batch)))
    return [vectors[row] for row in range(len(batch))]


def means(encoder, batch):
    return np.array([vectors.mean(0) for vectors in token_vectors(encoder, batch)])


def cosines(left, right):
    return (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


@pytest.mark.parametrize("precision", NEIGHBOURS)
@pytest.mark.parametrize(("family", "types"), [("bert", 2), ("qwen3", 1), ("eurobert", 1)])
@given(
    lengths=st.lists(st.integers(1, 64), min_size=1, max_size=12), seed=st.integers(0, 1000), first_only=st.booleans()
)
@settings(max_examples=15, deadline=None)
def test_neighbours_and_order_do_not_change_a_vector(make_encoder, precision, family, types, lengths, seed, first_only):
    encoder, batch = make_encoder(family, precision), random_sequences(lengths, types=types, seed=seed)
    together = token_vectors(encoder, batch, first_only=first_only)
    backwards = token_vectors(encoder, batch[::-1], first_only=first_only)[::-1]
    for sequence, first, second in zip(batch, together, backwards, strict=True):
        [alone] = token_vectors(encoder, [sequence], first_only=first_only)
        np.testing.assert_allclose(first, alone, atol=NEIGHBOURS[precision])
        np.testing.assert_allclose(second, alone, atol=NEIGHBOURS[precision])


@pytest.mark.parametrize("precision", NEIGHBOURS)
@pytest.mark.parametrize("family", ["mpnet", "distilbert", "qwen2"])
def test_neighbours_do_not_matter_in_other_families(make_encoder, family, precision):
    encoder, batch = make_encoder(family, precision), random_sequences([1, 64, 7, 7, 63, 30], seed=4)
    for sequence, vectors in zip(batch, token_vectors(encoder, batch), strict=True):
        np.testing.assert_allclose(vectors, token_vectors(encoder, [sequence])[0], atol=NEIGHBOURS[precision])


@pytest.mark.parametrize("precision", NEIGHBOURS)
@pytest.mark.parametrize("family", NATIVE)
def test_the_first_tokens_alone_are_those_of_a_full_pass(make_encoder, family, precision):
    encoder, batch = make_encoder(family, precision), random_sequences([1, 7, 64, 7, 20], seed=5)
    first = token_vectors(encoder, batch, first_only=True)
    for only, full in zip(first, token_vectors(encoder, batch), strict=True):
        assert only.shape == (1, 32)
        np.testing.assert_allclose(only[0], full[0], atol=1e-5 if precision == "float32" else 0.03)


# The lowest and the mean cosine to transformers in float32. Random weights of width 32 are harder than a real model:
# rounding has fewer features to average out, the less so where a gate multiplies two of them.
FIDELITY = {
    "bfloat16": {"bert": (0.9998, 0.9999), "decoder": (0.9996, 0.9998)},
    "int8": {"bert": (0.985, 0.995), "decoder": (0.98, 0.995)},
}


@pytest.mark.parametrize("family", NATIVE)
@pytest.mark.parametrize("precision", FIDELITY)
def test_lower_precision_stays_near_transformers(make_encoder, family, precision):
    least, mean = FIDELITY[precision]["decoder" if family in DECODERS else "bert"]
    batch = random_sequences([1, 64, 2, 7, 63, 7, 1, 30, 30, 12], seed=3)
    encoder = make_encoder(family, precision)
    wanted = np.array([vectors.mean(0) for vectors in run_transformers(make_encoder.folder / family, batch)])
    found = cosines(means(encoder, batch), wanted)
    assert found.min() > least
    assert found.mean() > mean


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_inputs_far_beyond_the_calibration_stay_finite(make_encoder, precision):
    encoder = make_encoder("bert", precision)
    batch = [TokenSequence(np.full(length, 4, np.int32)) for length in (64, 1)]
    assert all(np.isfinite(vectors).all() for vectors in token_vectors(encoder, batch))


# --- real weights ----------------------------------------------------------------------------------------------

SENTENCE = (
    "the sea is calm stocks fell sharply today because of inflation fears while doctors recommended rest "
    "and vaccines for children in rural Kenya Python function returns error 404 Überraschung 東京 naïve café"
)


@pytest.fixture(scope="module")
def real(minilm_folder):
    """Texts of 1 to 256 tokens, and their unit vectors by sentence-transformers."""
    random = np.random.default_rng(0)
    texts = [
        " ".join(random.choice(SENTENCE.split(), length)) for length in [1, 2, 5, 9, 9, 17, 40, 80, 150, 250, 3, 30] * 2
    ]
    reference = SentenceTransformer(str(minilm_folder), device="cpu")
    return texts, reference.encode(texts, normalize_embeddings=True)


@pytest.mark.parametrize(
    ("precision", "least", "mean"),
    [("float32", 0.99999, 0.99999), ("bfloat16", 0.9999, 0.9999), ("int8", 0.99, 0.998)],
)
def test_all_minilm_against_sentence_transformers(minilm_folder, real, precision, least, mean):
    needs(precision)
    texts, wanted = real
    embedder = Embedder(minilm_folder, precision=precision, truncate=True)
    vectors = embedder.embed(texts).vectors
    found = (vectors * wanted).sum(1)
    assert found.min() >= least
    assert found.mean() >= mean
    alone = np.concatenate([embedder.embed([text]).vectors for text in texts[:12]])
    np.testing.assert_allclose(alone, vectors[:12], atol=1e-5)


_MEMORY = """
import resource, sys
import numpy as np
from jina_components import Embedder

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20

embedder = Embedder(sys.argv[1], precision=sys.argv[2], truncate=True)
random = np.random.default_rng(0)
calls = [[" word" * int(length) for length in random.integers(1, 120, size=random.integers(1, 6))] for _ in range(40)]
sizes = []
for turn in range(14):
    for texts in calls:
        embedder.embed(texts)
    sizes.append(resident())
print(*sizes)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("family", ["bert", "mpnet"])
def test_memory_stays_flat_over_calls_of_mixed_lengths(tmp_path, family):
    """Once each shape of a pass has been seen: for a new one oneDNN compiles kernels, and keeps them."""
    from sentence_transformers.sentence_transformer.modules import Pooling
    from tiny_checkpoints import save_sentence_transformer

    checkpoint = save_checkpoint(tmp_path / "base", family, max_position_embeddings=130, num_attention_heads=8)
    save_sentence_transformer(tmp_path / "model", Pooling(32), checkpoint=checkpoint, max_seq_length=128)
    command = [sys.executable, "-c", _MEMORY, str(tmp_path / "model"), "auto"]
    sizes = [float(size) for size in subprocess.check_output(command, text=True, timeout=120).split()]
    assert sizes[-1] - sizes[3] < 10, sizes


# --- CUDA ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("family", NATIVE)
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("float16", 0.02), ("bfloat16", 0.15)])
@pytest.mark.parametrize("first_only", [False, True])
def test_cuda_gives_what_the_cpu_gives(make_encoder, family, precision, tolerance, first_only):
    batch = random_sequences([1, 64, 2, 7, 63, 7, 1, 30], seed=3)
    wanted = token_vectors(make_encoder(family, "float32"), batch, first_only=first_only)
    got = token_vectors(make_encoder(family, precision, "cuda"), batch, first_only=first_only)
    for ours, theirs in zip(got, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=tolerance)
