"""What is refused before a cluster is started, and which group a request is for."""

from __future__ import annotations

import sys
import threading

import pytest
from fastapi import FastAPI

from jina_components.errors import BackendError, ConfigError, MissingDependencyError
from jina_components.scale.serving import Replicas, front, on_ray
from jina_components.scale.serving.cluster import _check_room
from jina_components.scale.serving.front import _watch, group_of, reason
from jina_components.service import ServiceSettings, create_app

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own, where it is imported


def make_app(model: str, **settings) -> FastAPI:
    return create_app(ServiceSettings(data="unused", **settings))


def with_keys(model: str) -> FastAPI:
    return make_app(model, needs_keys=True)


@pytest.mark.parametrize(
    "numbers",
    [
        {"minimum": 0}, {"minimum": 2}, {"cpus": -1}, {"gpus": -1}, {"target": 0}, {"target": 9, "most": 8},
        {"waiting": 0}, {"grow_seconds": -1},
    ],
)  # fmt: skip
def test_numbers_of_replicas(numbers):
    with pytest.raises(ConfigError):
        Replicas(**numbers)


@pytest.mark.parametrize(
    ("make", "how", "told"),
    [
        (make_app, {"replicas": {"jina-embeddings-v3": Replicas()}}, "a group of the empty name"),
        (make_app, {"replicas": {"": Replicas()}, "address": "ray://127.0.0.1:10001"}, "Ray's client"),
        (with_keys, {"replicas": {"": Replicas()}}, "limits_url"),
    ],
)
def test_what_makes_no_sense(make, how, told):
    with pytest.raises(ConfigError, match=told), on_ray(make, **how):
        pass
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    ("groups", "told"),
    [([Replicas(gpus=1)], "1 GPUs, and this machine has 0"), ([Replicas(cpus=3), Replicas()], "4 CPUs")],
)
def test_a_machine_without_room(groups, told):
    there = {"CPU": 3.0, "memory": 1e9}
    with pytest.raises(ConfigError, match=told):
        _check_room(there, groups)
    _check_room(there, [Replicas(cpus=2, maximum=9), Replicas()])


def test_without_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"jina-components\[ray\]"), on_ray(make_app, replicas={}):
        pass


@pytest.mark.parametrize(
    ("body", "group"),
    [
        (b'{"model": "jina-embeddings-v3", "input": "a"}', "jina-embeddings-v3"),
        (b'{"input":"a","model":"jinaai/jina-embeddings-v3"}', "jina-embeddings-v3"),
        (b'{"model" :\n"jina-embeddings-v2-base-en"}', ""),
        (rb'{"input": "{\"model\": \"jina-embeddings-v3\"}"}', ""),
        (b'{"model": null}', ""),
        (b'{"model": "\xff"}', ""),
        (b"", ""),
    ],
)
def test_the_group_of_a_request(body, group):
    assert group_of(body, {"", "jina-embeddings-v3"}) == group


def test_reasons():
    stack = "Traceback:\n  File x\njina_components.errors.ConfigError: No such folder.\n\nMore of Ray's\n"
    assert reason(stack) == "No such folder."
    assert reason("Traceback:\nIt died.\n\n") == "It died."
    assert reason("") == ""


async def test_a_service_whose_replicas_cannot_be_started_ends():
    app = make_app("")
    await _watch(app, lambda: (False, "No such folder."))
    assert isinstance(app.state.failure, BackendError)
    assert "No such folder." in str(app.state.failure)
    assert not app.state.ready


async def test_replicas_that_fail_later_leave_it_unready_until_others_are_there(monkeypatch):
    monkeypatch.setattr(front, "_LOOK", 0.01)
    app = make_app("")
    seen = [(True, ""), (False, "It died."), (None, "Wait."), (True, "")]
    states = []

    def look():
        states.append(app.state.ready)
        return seen.pop(0)

    with pytest.raises(IndexError):
        await _watch(app, look)
    assert states == [False, True, False, False, True]
    assert app.state.failure is None


@pytest.mark.parametrize("answers", [True, False], ids=["fails", "never answers"])
async def test_a_service_that_has_lost_its_cluster_is_unready_and_ends(monkeypatch, answers):
    for name, seconds in (("_LOOK", 0.01), ("_LATE", 0.1), ("_LOST", 0.3)):
        monkeypatch.setattr(front, name, seconds)
    app, over = make_app(""), threading.Event()
    seen = iter([(True, "")])

    def look():
        if told := next(seen, None):
            return told
        if not answers:
            over.wait()
        return None, "It died."

    try:
        await _watch(app, look)
    finally:
        over.set()
    assert not app.state.ready
    assert "The Ray cluster has told nothing" in str(app.state.failure)
    assert ("It died." in str(app.state.failure)) == answers
