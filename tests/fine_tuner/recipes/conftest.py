from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_teacher import save_teacher
from training_data import write_training_data

from jina_components.fine_tuner.recipes.data import texts


@pytest.fixture(scope="session")
def training_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A made-up folder of every set that the recipes train on; of the interpreter's library they see a part."""
    library = tmp_path_factory.mktemp("library")
    for name in ("argparse", "calendar", "random", "shutil", "statistics", "textwrap", "zipfile"):
        shutil.copy(Path(sysconfig.get_path("stdlib"), f"{name}.py"), library)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "sysconfig", SimpleNamespace(get_path=lambda _: library))
        yield write_training_data(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights."""
    return save_teacher(tmp_path_factory.mktemp("teacher"))
