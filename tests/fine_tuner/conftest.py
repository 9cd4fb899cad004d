from __future__ import annotations

from pathlib import Path

import pytest
from quality_data import write_quality_data


@pytest.fixture(scope="session")
def quality_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up folder of every set that quality is measured on."""
    return write_quality_data(tmp_path_factory.mktemp("quality"))
