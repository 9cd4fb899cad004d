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


def test_of_a_long_table_the_near_names_and_what_lists_all():
    table = dict.fromkeys([*(f"model-{number}" for number in range(12)), "other"])
    with pytest.raises(UnknownNameError) as caught:
        resolve_name(table, "model-x", what="model", listed_by="lister")
    told = str(caught.value)
    assert told.startswith("Unknown model 'model-x'. Did you mean 'model-")
    assert told.endswith(". `lister` lists all.")
    assert told.count("model-") == 1 + 5
    with pytest.raises(UnknownNameError, match=r"^Unknown model 'xyz'\. `lister` lists all\.$"):
        resolve_name(table, "xyz", what="model", listed_by="lister")
    del table["other"]
    with pytest.raises(UnknownNameError, match=r"Known: model-0, .*, model-9\.$"):
        resolve_name(table, "xyz", what="model", listed_by="lister")
