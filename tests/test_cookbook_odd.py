"""The notebooks of odd number run; in two files, so that two processes share them."""

import pytest
from executed_notebooks import check_executed, numbered


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", numbered(1), ids=lambda path: path.stem)
def test_it_runs_and_gives_what_is_stored(path, tmp_path):
    check_executed(path, tmp_path)
