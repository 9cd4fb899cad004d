"""Whether two models are the same one, by where they place a text: a name says little, and a digest too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jina_components.types import FloatArray

PROBE = "The quick brown fox jumps over the lazy dog near the river bank in 1984."
"""The text; stored vectors of it are compared, so it never changes."""

# Other models are far off; another precision of the same model stays above the limit.
_COSINE = 0.98


def agree(one: FloatArray, other: FloatArray) -> bool:
    """Whether one model placed the probe at both.

    Args:
        one: Unit vector, shape [dimensions]; [0] stands for no model, which agrees with no model alone.
        other: Another.
    """
    return one.shape == other.shape and (np.allclose(one, other, atol=1e-4) or float(one @ other) >= _COSINE)
