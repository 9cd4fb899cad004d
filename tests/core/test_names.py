from __future__ import annotations

import pytest

from jina_components.core.names import resolve_name
from jina_components.errors import JinaComponentsError, UnknownNameError

TABLE = {"static": 1, "torch": 2}


def test_a_known_name():
    assert resolve_name(TABLE, "torch", what="backend") == 2


def test_a_near_miss_gets_a_hint():
    with pytest.raises(
        UnknownNameError, match=r"^Unknown backend 'troch'\. Did you mean 'torch'\? Known: static, torch\.$"
    ) as caught:
        resolve_name(TABLE, "troch", what="backend")
    assert isinstance(caught.value, LookupError)
    assert isinstance(caught.value, JinaComponentsError)


def test_a_far_miss_gets_the_list():
    with pytest.raises(UnknownNameError, match=r"^Unknown backend 'xyz'\. Known: static, torch\.$"):
        resolve_name(TABLE, "xyz", what="backend")
