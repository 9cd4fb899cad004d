from __future__ import annotations

import copy
import pickle
import threading

import pytest

from jina_components.core.component import Component


class Counter(Component):
    """Has state that does not pickle."""

    def __init__(self, start, *, step=1):
        self.value = start * step
        self.lock = threading.Lock()
        self.closed = False

    def close(self):
        self.closed = True


class Failing(Component):
    def __init__(self, start):
        raise ValueError("no")


@pytest.mark.parametrize("travel", [lambda c: pickle.loads(pickle.dumps(c)), copy.copy, copy.deepcopy])
def test_a_component_travels_as_its_arguments(travel):
    counter = Counter(3, step=2)
    counter.value = 100
    other = travel(counter)
    assert type(other) is Counter
    assert other.value == 6
    assert other.lock is not counter.lock


def test_a_with_block_closes():
    with Counter(1) as counter:
        assert not counter.closed
    assert counter.closed
    with pytest.raises(KeyError), Counter(1) as counter:
        raise KeyError
    assert counter.closed


def test_a_component_without_resources_closes_too():
    with Component() as component:
        component.close()


def test_errors_of_the_constructor_are_its_own():
    with pytest.raises(ValueError, match="no"):
        Failing(1)
    with pytest.raises(TypeError):
        Counter(1, stride=2)
