"""A store whose writer is killed at any moment."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def after_kills(directory, kills, *options):
    """The operations under which the kills came."""
    done = subprocess.run(
        [sys.executable, str(HERE / "killed_store.py"), str(directory), str(kills), *options],
        capture_output=True, text=True, timeout=170, check=False, cwd=HERE.parent.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == kills
    return Counter(line[3] for line in lines)


def test_kills_lose_no_token_vectors(tmp_path):
    assert "put" in after_kills(tmp_path / "index", 12, "tokens")


@pytest.mark.slow
def test_kills_lose_nothing_and_break_nothing(tmp_path):
    under_way = after_kills(tmp_path / "index", 42)
    assert set(under_way) >= {"put", "delete", "delete_matching", "compact"}, under_way
