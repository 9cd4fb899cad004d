from __future__ import annotations

from pathlib import Path

import pytest
from tiny_teacher import save_teacher
from training_data import write_training_data


@pytest.fixture(scope="session")
def training_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up folder of every set that the recipes train on."""
    return write_training_data(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights."""
    return save_teacher(tmp_path_factory.mktemp("teacher"))
