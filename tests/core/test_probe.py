import numpy as np
import pytest

from jina_components.core.probe import agree

_AXIS = np.eye(3, dtype=np.float32)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (_AXIS[0], _AXIS[0], True),
        (_AXIS[0], np.float32([0.985, 0.1725, 0]), True),  # another precision
        (_AXIS[0], np.float32([0.97, 0.2431, 0]), False),
        (_AXIS[0], _AXIS[1], False),
        (_AXIS[0], _AXIS[0, :2], False),
        (np.zeros(0, np.float32), np.zeros(0, np.float32), True),
        (np.zeros(0, np.float32), _AXIS[0], False),
    ],
)
def test_models_are_the_same_by_where_they_place_the_probe(one, other, same):
    assert agree(one, other) is same
    assert agree(other, one) is same
