import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from jina_components.errors import BackendError, ConfigError, InputError
from jina_components.scale.processes import Lost, run_in_processes


@dataclass
class Square:
    """Squares, in a process that dies at `deadly`: once where there is a mark to leave, else always."""

    deadly: int = -1
    mark: Path | None = None

    def __call__(self, number):
        if number == self.deadly and not (self.mark and self.mark.exists()):
            if self.mark:
                self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if number < 0:
            raise InputError("It is negative.", 7)
        return number * number, os.getpid()


def test_every_item_is_worked_on_by_one_of_the_workers():
    outcomes = dict(run_in_processes(Square(), range(40), workers=2))
    assert {number: square for number, (square, _) in outcomes.items()} == {n: n * n for n in range(40)}
    pids = {pid for _, pid in outcomes.values()}
    assert len(pids) <= 2
    assert os.getpid() not in pids


def test_a_worker_that_is_killed_is_replaced_and_its_item_repeated(tmp_path):
    outcomes = dict(run_in_processes(Square(5, tmp_path / "mark"), range(12), workers=2))
    assert (tmp_path / "mark").exists()
    assert {number: square for number, (square, _) in outcomes.items()} == {n: n * n for n in range(12)}


def test_an_item_that_kills_every_worker_is_lost_and_the_others_are_not():
    outcomes = dict(run_in_processes(Square(3), range(8), workers=2))
    assert outcomes.pop(3) == Lost("signal SIGKILL")
    assert sorted(outcomes) == [0, 1, 2, 4, 5, 6, 7]


def test_workers_that_die_at_everything_end_the_run():
    with pytest.raises(BackendError, match="10 worker processes have died one after the other"):
        list(run_in_processes(Square(1), [1] * 9, workers=2))


def test_an_error_is_raised_as_it_was():
    with pytest.raises(InputError, match="negative") as caught:
        list(run_in_processes(Square(), [1, -2, 3], workers=2))
    assert caught.value.index == 7


def test_an_error_of_the_items_is_raised():
    def items():
        yield 1
        raise InputError("No more.")

    with pytest.raises(InputError, match="No more"):
        list(run_in_processes(Square(), items(), workers=2))


def test_work_that_does_not_travel_is_an_error_of_its_own():
    with pytest.raises(Exception, match="pickle"):
        list(run_in_processes(lambda number: number, [1], workers=1))


def test_closing_ends_the_workers():
    outcomes = run_in_processes(Square(), range(1000), workers=2)
    pids = {next(outcomes)[1][1] for _ in range(4)}
    outcomes.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


_SCRIPT = """
import os, time
from jina_components.scale.processes import run_in_processes

def work(number):
    if number > 1:
        time.sleep(600)
    return os.getpid()

if __name__ == "__main__":
    for _, pid in run_in_processes(work, range(9), workers=2):
        print(pid, flush=True)
"""


def test_interrupting_a_program_and_its_workers_leaves_none(tmp_path):
    (tmp_path / "script.py").write_text(_SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        pids = {int(process.stdout.readline()) for _ in range(2)}
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGINT
    assert err.count("Traceback") == err.count("KeyboardInterrupt") == 1
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_items_are_asked_for_as_workers_become_free():
    asked = []
    outcomes = run_in_processes(Square(), (asked.append(number) or number for number in range(100)), workers=2)
    next(outcomes)
    time.sleep(0.2)
    assert len(asked) <= 8
    outcomes.close()


def test_no_workers():
    with pytest.raises(ConfigError, match="workers must be positive"):
        next(run_in_processes(Square(), [1], workers=0))
