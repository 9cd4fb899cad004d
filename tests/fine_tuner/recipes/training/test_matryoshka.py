from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from jina_components.core.vectors import normalize
from jina_components.fine_tuner.recipes.training.matryoshka import divergence, matryoshka_axes, principal_axes


@pytest.fixture(scope="module")
def vectors():
    """Most of what tells them apart lies in a few dimensions, and much that they share in others."""
    random = np.random.default_rng(0)
    groups = random.normal(size=(40, 6)) @ random.normal(size=(6, 24))
    return normalize(np.repeat(groups, 20, axis=0) + random.normal(size=(800, 24)) + 3).astype(np.float32)


def neighbours(vectors):
    cosines = normalize(vectors) @ normalize(vectors).T - 2 * np.eye(len(vectors))
    return cosines.argmax(axis=1) // 20


def test_principal_axes_are_ordered_and_survive_a_file():
    random = np.random.default_rng(0)
    vectors = normalize(random.normal(size=(50, 6)) * (3, 1, 6, 2, 5, 4))
    axes = load(save({"axes": principal_axes(vectors)}))["axes"]
    np.testing.assert_allclose(axes @ axes.T, np.eye(6), atol=1e-5)
    energy = np.square(vectors @ axes.T).sum(axis=0)
    np.testing.assert_allclose(energy, np.linalg.svd(vectors, compute_uv=False) ** 2, rtol=1e-4)


def test_whole_vectors_keep_their_cosines(vectors):
    axes = load(save({"axes": matryoshka_axes(vectors, [4], steps=20)}))["axes"]
    turned = vectors @ axes.T
    np.testing.assert_allclose(turned @ turned.T, vectors @ vectors.T, atol=1e-5)


def test_fewer_dimensions_find_more_of_the_neighbours_than_those_of_the_principal_axes(vectors):
    learned, plain = (vectors @ axes.T for axes in (matryoshka_axes(vectors, [4], steps=150), principal_axes(vectors)))
    right = np.arange(800) // 20
    assert (neighbours(learned[:, :4]) == right).mean() > (neighbours(plain[:, :4]) == right).mean() + 0.02


def test_what_is_learned_from_is_nothing_at_full_width_and_more_the_fewer_dimensions(vectors):
    found = torch.from_numpy(vectors[:100])
    losses = [float(divergence(found, [width])) for width in (24, 12, 4)]
    assert losses[0] == pytest.approx(0, abs=1e-5)
    assert losses == sorted(losses)
    assert float(divergence(found, [12, 4])) == pytest.approx(losses[1] + losses[2], rel=1e-5)


def test_axes_are_the_same_in_every_run(vectors):
    np.testing.assert_array_equal(*(matryoshka_axes(vectors, [4], steps=5, seed=1) for _ in range(2)))
