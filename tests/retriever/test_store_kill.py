"""A store whose writer is killed at any moment."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
def test_two_hundred_kills_lose_nothing_and_break_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, str(HERE / "killed_store.py"), str(tmp_path / "index"), "200"],
        capture_output=True, text=True, timeout=170, check=False, cwd=HERE.parent.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == 200
    under_way = Counter(line[3] for line in lines)
    assert set(under_way) >= {"put", "delete", "compact"}, under_way
