"""Floors hold, and are lowered for a reason alone."""

from __future__ import annotations

import argparse
import json

import pytest
from made_up_history import measured

from benchmarks.gate import FLOORS, TOLERANCE, checks, gate
from benchmarks.history import load_all, save
from benchmarks.table import ROWS_BY_NAME

QUALITY, SPEED = "pdf.order", "pdf.speed"


@pytest.fixture
def ask(tmp_path):
    """The gate over a folder with a history and floors."""

    def run(gap, *, raised=None, lower=(), why="", partial=False, without=()):
        found = measured(gap)
        for name in without:
            del found.results[name]
        for path in (tmp_path / "history").glob("*"):
            path.unlink()
        save(found, tmp_path / "history")
        options = argparse.Namespace(run=None, raised=raised, lower=list(lower), why=why, partial=partial)
        return gate(options, tmp_path / "floors.json", tmp_path / "history")

    run.floors = lambda: json.loads((tmp_path / "floors.json").read_text("utf-8"))["quick"]
    return run


def test_a_number_below_its_floor_fails(ask, capsys):
    assert ask(1.2, raised=[]) == 0
    assert ask(1.2) == 0
    assert ask(1.2 - 2 * TOLERANCE["quality"] / 2) == 0  # within the tolerances
    assert ask(1.2 - 2 * TOLERANCE["quality"] * 1.5) == 1
    told = capsys.readouterr().out
    assert f"below its floor: {QUALITY}" in told
    assert f"below its floor: {SPEED}" not in told
    assert ask(0.8) == 1
    assert f"below its floor: {SPEED}" in capsys.readouterr().out


def test_an_improvement_is_told_and_floors_rise_when_asked(ask, capsys):
    ask(1.2, raised=[])
    ask(1.6)
    assert f"may be raised (--raise {QUALITY})" in capsys.readouterr().out
    assert ask.floors()[QUALITY]["floor"] == 0.6
    ask(1.6, raised=[QUALITY])
    assert ask.floors()[QUALITY]["floor"] == 0.8
    assert ask.floors()[SPEED]["floor"] == 1.2
    ask(1.4, raised=[])
    assert ask.floors()[QUALITY]["floor"] == 0.8  # raising never lowers
    assert ask.floors()[SPEED]["floor"] == 1.4


def test_a_floor_is_lowered_for_a_reason_that_is_kept(ask, capsys):
    ask(1.2, raised=[])
    assert ask(1.0, lower=[QUALITY]) == 2
    assert "for a reason" in capsys.readouterr().out
    assert ask.floors()[QUALITY]["floor"] == 0.6
    assert ask(1.0, lower=[QUALITY, SPEED], why="a new set") == 1  # the other rows are below theirs
    lowered = ask.floors()[QUALITY]
    assert lowered["floor"] == 0.5
    assert lowered["lowered"] == [{"from": 0.6, "to": 0.5, "why": "a new set", "run": "2026-01-02T030405Z-quick"}]
    assert ask.floors()["pdf.tables"]["floor"] == 0.6
    assert ask(1.0, lower=["nothing"], why="x") == 2
    assert "No row is called nothing" in capsys.readouterr().out


def test_what_is_not_measured_does_not_pass_unseen(ask, capsys):
    ask(1.2, raised=[])
    assert ask(1.2, without=[SPEED]) == 1
    assert f"not measured: {SPEED}" in capsys.readouterr().out
    assert ask(1.2, without=[SPEED], partial=True) == 0


def test_without_a_run_there_is_nothing_to_pass(tmp_path):
    options = argparse.Namespace(run=None, raised=None, lower=[], why="", partial=False)
    assert gate(options, tmp_path / "floors.json", tmp_path) == 1


def test_the_floors_that_are_pinned_are_of_rows():
    floors = json.loads(FLOORS.read_text("utf-8"))
    assert floors.keys() <= {"quick", "full"}
    for own in floors.values():
        assert own.keys() <= ROWS_BY_NAME.keys()
        for entry in own.values():
            assert all(reason["why"] for reason in entry.get("lowered", ()))


def test_the_newest_runs_reach_their_floors():
    floors = json.loads(FLOORS.read_text("utf-8"))
    for mode in floors:
        runs = [run for run in load_all() if run.mode == mode]
        assert not [check.row.name for check in checks(runs[-1], floors) if check.fails]
