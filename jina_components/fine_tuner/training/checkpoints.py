"""Where a run was interrupted: weights, the optimizer's state and the step, in safetensors and JSON, never pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from jina_components.core.durable import is_unfinished, remove, write_folder
from jina_components.errors import ConfigError

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

STATE = "trainer_state.json"
"""As transformers' Trainer calls it."""
_TENSORS, _WEIGHT, _OPTIMIZER = "state.safetensors", "weight.", "optimizer."


class Trained(NamedTuple):
    """What changes in a run."""

    module: torch.nn.Module
    optimizer: Optimizer
    schedule: LRScheduler


def weights_of(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights that are fitted, by name."""
    return {name: weight.detach() for name, weight in module.named_parameters() if weight.requires_grad}


def save_weights(module: torch.nn.Module, path: Path, about: Mapping[str, Any]) -> None:
    """Write the fitted weights; `about` is JSON."""
    tensors = {name: weight.contiguous().cpu() for name, weight in weights_of(module).items()}
    save_file(tensors, path, {"about": json.dumps(about)})


def load_weights(module: torch.nn.Module, path: Path, *, prefix: str = "") -> None:
    """Put them back into the module.

    Raises:
        ConfigError: the file is of another model, or broken.
    """
    goal = weights_of(module)
    try:
        with safe_open(path, "pt") as file, torch.no_grad():
            for name, weight in goal.items():
                weight.copy_(file.get_tensor(prefix + name))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ConfigError(f"{path} does not go on: {error}. Delete it, or fit with resume=False.") from error


def save_checkpoint(work: Path, step: int, state: str, trained: Trained, about: Mapping[str, Any]) -> None:
    """Write `checkpoint-STEP`, whole or not at all, and remove those before it.

    Args:
        work: Folder of the run.
        step: Steps that are done.
        state: The Trainer's own state, JSON.
        trained: What to write.
        about: What the run knows beside, JSON values.
    """
    optimizer = trained.optimizer.state_dict()
    tensors = {f"{_WEIGHT}{name}": weight for name, weight in weights_of(trained.module).items()}
    for number, values in optimizer["state"].items():
        tensors |= {f"{_OPTIMIZER}{number}.{name}": value for name, value in values.items()}
    noted = {
        "about": json.dumps(about),
        "groups": json.dumps(optimizer["param_groups"]),
        "schedule": json.dumps(trained.schedule.state_dict()),
    }

    def write(to: Path) -> None:
        (to / STATE).write_text(state, encoding="utf-8")
        save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, to / _TENSORS, noted)

    earlier = list(work.glob("checkpoint-*"))
    here = work / f"checkpoint-{step}"
    if here not in earlier:
        write_folder(here, write)
    for old in earlier:
        if old != here:
            remove(old)


def last_checkpoint(work: Path) -> Path | None:
    """The folder of the last checkpoint; what a kill left unfinished is removed."""
    found = []
    for path in work.glob("checkpoint-*"):
        if is_unfinished(path.name):
            remove(path)
        else:
            found.append(path)
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def read_about(checkpoint: Path) -> dict[str, Any]:
    """What the run knew beside."""
    return _noted(checkpoint, "about")


def load_optimizer(checkpoint: Path, trained: Trained) -> None:
    """Put the optimizer's and the schedule's state back."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    with safe_open(checkpoint / _TENSORS, "pt") as file:
        for key in file.keys():  # noqa: SIM118 (it is no mapping)
            if key.startswith(_OPTIMIZER):
                number, _, name = key.removeprefix(_OPTIMIZER).partition(".")
                state.setdefault(int(number), {})[name] = file.get_tensor(key)
    trained.optimizer.load_state_dict({"state": state, "param_groups": _noted(checkpoint, "groups")})
    trained.schedule.load_state_dict(_noted(checkpoint, "schedule"))


def load_module(checkpoint: Path, module: torch.nn.Module) -> None:
    """Put the weights back."""
    load_weights(module, checkpoint / _TENSORS, prefix=_WEIGHT)


def _noted(checkpoint: Path, name: str) -> Any:  # noqa: ANN401 (JSON)
    with safe_open(checkpoint / _TENSORS, "pt") as file:
        return json.loads((file.metadata() or {})[name])
