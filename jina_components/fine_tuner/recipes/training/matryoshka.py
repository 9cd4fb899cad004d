"""Axes that vectors are turned to, so that their first dimensions alone do for the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional
from tqdm.auto import trange

from jina_components.core.vectors import normalize

if TYPE_CHECKING:
    from jina_components.types import FloatArray

_BATCH = 512  # vectors compared with each other
_TEMPERATURE = 0.05
_RATE = 2e-3  # falls to 0


def matryoshka_axes(vectors: FloatArray, widths: Sequence[int], *, steps: int = 800, seed: int = 0) -> FloatArray:
    """An orthogonal matrix, learned: turning to its rows changes no cosine of whole vectors.

    From the principal axes on, by Adam: at each width, who is near to whom should be as with all dimensions (the
    divergence of the softmax of cosines). This is Matryoshka learning (Kusupati et al. 2022) of the last layer alone.

    Args:
        vectors: Shape [texts, dimensions].
        widths: Dimensions that are kept.
        steps: Of 512 vectors, drawn with replacement.
        seed: Of what is drawn.

    Returns:
        Rows are axes, shape [dimensions, dimensions]; `vectors @ axes.T` is turned.
    """
    start, whole = torch.from_numpy(principal_axes(vectors)), torch.from_numpy(normalize(vectors))
    skew = torch.zeros_like(start, requires_grad=True)
    optimizer = torch.optim.Adam([skew], lr=_RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    random = torch.Generator().manual_seed(seed)
    for _ in trange(steps, desc="axes", unit="step"):
        drawn = whole[torch.randint(len(whole), (_BATCH,), generator=random)]
        loss = divergence(drawn @ _turned(start, skew).T, widths)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return np.ascontiguousarray(_turned(start, skew).detach().numpy())


def divergence(vectors: torch.Tensor, widths: Sequence[int]) -> torch.Tensor:
    """How far who is near to whom in few dimensions is from who is in all (Kullback-Leibler), summed over `widths`."""
    whole = _near(vectors).detach().exp()
    parts = [functional.kl_div(_near(vectors[:, :width]), whole, reduction="batchmean") for width in widths]
    return torch.stack(parts).sum()


def principal_axes(vectors: FloatArray) -> FloatArray:
    """Axes of the second moment of unit vectors, largest first, shape [dimensions, dimensions]."""
    _, axes = np.linalg.eigh(normalize(vectors).astype(np.float64).T @ normalize(vectors))
    return np.ascontiguousarray(axes[:, ::-1].T, np.float32)  # safetensors writes any other order wrongly


def _turned(start: torch.Tensor, skew: torch.Tensor) -> torch.Tensor:
    """Orthogonal whatever `skew` is (Cayley's transform)."""
    unit, difference = torch.eye(len(start)), skew - skew.T
    return torch.linalg.solve(unit + difference, unit - difference) @ start


def _near(vectors: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of each other vector to be the nearest."""
    unit = functional.normalize(vectors, dim=1)
    cosines = (unit @ unit.T).fill_diagonal_(-2)  # itself: less near than anything
    return functional.log_softmax(cosines / _TEMPERATURE, dim=1)
