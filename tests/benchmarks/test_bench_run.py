"""Runs go on where they were interrupted, and say what they left out."""

from __future__ import annotations

import sys
import types

import pytest
from made_up_history import quality, speed

from benchmarks import __main__ as command
from benchmarks import run as running
from benchmarks.history import load, load_all
from benchmarks.setting import Setting
from benchmarks.table import Job, Row


@pytest.fixture
def calls(monkeypatch):
    """Three jobs that note when they are called; the second is interrupted the first time, the third needs data."""
    seen: list[str] = []

    def first(setting, *, size):
        seen.append(f"first {size}")
        setting.skipped["a peer"] = "not installed"
        return {"one.quality": quality(0.9, 0.8)}

    def second(setting):
        seen.append("second")
        if seen.count("second") == 1:
            raise KeyboardInterrupt
        return {"two.speed": speed(2.0)}

    module = types.ModuleType("benchmarks.jobs.made_up")
    module.first, module.second, module.third = first, second, second  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "benchmarks.jobs.made_up", module)
    table = {
        "first": Job("made_up.first", quick={"size": 1}, full={"size": 2}),
        "second": Job("made_up.second"),
        "third": Job("made_up.third", data=("retrieval",)),
        "fourth": Job("made_up.third", quick=None),
    }
    rows = tuple(
        Row(f"{name}.{kind}", component, kind, "", "", "ours", "peer", job)
        for name, component, kind, job in (("one", "One", "quality", "first"), ("two", "Two", "speed", "second"))
    )
    monkeypatch.setattr(running, "JOBS", table)
    monkeypatch.setattr(running, "ROWS", rows)
    return seen


def test_an_interrupted_run_goes_on(calls, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        running.measure(Setting(None), "quick", folder=tmp_path)
    [stopped] = load_all(tmp_path)
    assert not stopped.finished
    assert list(stopped.results) == ["one.quality"]
    run, path = running.measure(Setting(None), "quick", folder=tmp_path)
    assert calls == ["first 1", "second", "second"]
    assert load(path).finished
    assert list(run.results) == ["one.quality", "two.speed"]
    assert run.left_out["third"] == "without --data (it reads retrieval)"
    assert run.left_out["fourth"] == "only in a full run"
    assert run.left_out["a peer"] == "not installed"
    running.measure(Setting(None), "quick", folder=tmp_path)
    assert calls.count("first 1") == 2  # the former is finished


def test_some_may_be_chosen(calls, tmp_path):
    run, _ = running.measure(Setting(None), "full", ["One"], tmp_path)
    assert calls == ["first 2"]
    assert list(run.results) == ["one.quality"]


def test_a_job_that_fails_is_named_and_the_others_go_on(calls, tmp_path, monkeypatch):
    def fail(setting, *, size):
        raise OSError(f"{setting.cache} is full")

    monkeypatch.setattr(sys.modules["benchmarks.jobs.made_up"], "first", fail)
    calls.append("second")
    run, _ = running.measure(Setting(None), "quick", folder=tmp_path)
    assert run.left_out["first"] == "OSError: … is full"
    assert list(run.results) == ["two.speed"]


def test_files_name_no_folder_of_the_machine(calls, tmp_path):
    calls.append("second")
    (tmp_path / "retrieval").mkdir()
    _, path = running.measure(Setting(tmp_path), "quick", folder=tmp_path / "history")
    text = path.read_text("utf-8")
    assert str(tmp_path) not in text
    assert sys.executable not in text


def test_the_command_says_what_is_wrong(tmp_path):
    with pytest.raises(SystemExit, match="is no folder"):
        command.main(["--data", str(tmp_path / "none")])
    with pytest.raises(SystemExit):
        command.main(["--only", "Nothing"])
