from __future__ import annotations

import pytest

from jina_components.testing.assertions import pickled

closed = []


class Closing:
    def close(self):
        closed.append(self)


def test_a_copy_is_closed_when_a_check_of_it_fails():
    with pytest.raises(AssertionError, match="a check"), pickled(Closing()) as copy:
        raise AssertionError("a check")
    assert closed == [copy]
