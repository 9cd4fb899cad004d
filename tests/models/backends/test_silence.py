"""Loading writes nothing to standard error but what the caller raises."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from safetensors.torch import load_file, save_file
from tiny_checkpoints import save_checkpoint
from tiny_generators import save_generator
from tiny_vision_models import save_v4
from transformers.utils import logging as switches

from jina_components.models.backends.silence import SILENCE

LOADS = """
import json, sys, torch
from pathlib import Path
from jina_components.errors import ModelFilesError
from jina_components.models.backends.generating import TorchGenerator
from jina_components.models.backends.padded import load_padded_encoder
from jina_components.models.backends.qwen_vl import PROJECTOR, QwenVL

def padded(folder, config):
    load_padded_encoder(folder, config, torch.device("cpu"), "float32", ())

def v4(folder, config):
    QwenVL(folder, config, heads=[PROJECTOR], device="cpu", precision="float32")

def generator(folder, config):
    TorchGenerator(folder, device="cpu", precision="float32")

for folder in [Path(each, kind) for each in sys.argv[1:] for kind in ("padded", "v4", "generator")]:
    kind = folder.name
    try:
        globals()[kind](folder, json.loads((folder / "config.json").read_text()))
        print(kind, "loaded")
    except ModelFilesError as error:
        print(kind, error)
"""


def test_of_loading_only_our_errors_tell(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    save_checkpoint(whole / "padded", "modernbert")
    save_v4(whole / "v4")
    save_generator(whole / "generator")
    shutil.copytree(whole, broken)
    for path in broken.glob("*/model.safetensors"):
        tensors = load_file(path)
        del tensors[next(name for name in sorted(tensors) if "layers.1" in name)]
        save_file(tensors, path, {"format": "pt"})
    done = subprocess.run(
        [sys.executable, "-c", LOADS, whole, broken], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[:3] == ["padded loaded", "v4 loaded", "generator loaded"]
    assert [line.split()[0] for line in lines[3:]] == ["padded", "v4", "generator"]
    assert all("1 tensors are missing" in line for line in lines[3:])


def settings():
    return switches.is_progress_bar_enabled(), logging.getLogger("transformers").level


@pytest.fixture
def shown():
    """As in a process that nobody muted."""
    before = settings()
    switches._tqdm_active = True
    logging.getLogger("transformers").setLevel(logging.INFO)
    yield True, logging.INFO
    switches._tqdm_active = before[0]
    logging.getLogger("transformers").setLevel(before[1])


def test_what_was_set_is_set_again(shown):
    with SILENCE:
        assert settings() == (False, logging.ERROR)
    assert settings() == shown
    with pytest.raises(OSError, match="broken"), SILENCE:
        raise OSError("broken")
    assert settings() == shown
    logging.getLogger("transformers").setLevel(logging.CRITICAL)
    with SILENCE:
        assert settings() == (False, logging.CRITICAL)


def test_loads_may_overlap(shown):
    first, second, third = (Barrier(2, timeout=20) for _ in range(3))

    def early():
        with SILENCE:
            first.wait()
            second.wait()
        third.wait()

    def late():
        first.wait()
        with SILENCE:
            second.wait()
            third.wait()
            return settings()

    with ThreadPoolExecutor(2) as pool:
        pool.submit(early)
        assert pool.submit(late).result() == (False, logging.ERROR)
    assert settings() == shown
