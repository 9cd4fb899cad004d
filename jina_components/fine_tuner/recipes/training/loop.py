"""The training loop of the recipes: seeded, logged, and resumed where it was interrupted."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tqdm.auto import tqdm

from jina_components.errors import ConfigError

log = logging.getLogger(__name__)

Losses: TypeAlias = Mapping[str, torch.Tensor]

_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how fast to train.

    Attributes:
        steps: Of the optimizer, AdamW (Loshchilov & Hutter 2019).
        rate: Highest learning rate; it rises linearly for `warmup` steps, then falls to 0 along a cosine.
        warmup: Steps.
        decay: Weight decay of matrices.
        log_every: Steps between two lines of the log.
        save_every: Steps between two checkpoints.
    """

    steps: int
    rate: float
    warmup: int = 100
    decay: float = 0.01
    log_every: int = 50
    save_every: int = 250

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * 0.5 * (1 + math.cos(math.pi * done))


def train(
    module: torch.nn.Module,
    losses: Callable[[int], Losses],
    plan: Plan,
    work: Path,
    *,
    settings: Mapping[str, object],
    measure: Callable[[], Mapping[str, float]] | None = None,
) -> None:
    """Train `module` in place; a run that was interrupted goes on from its last checkpoint in `work`.

    Args:
        module: Its parameters that require gradients are trained.
        losses: The losses of a step, which are summed. What a step is given must depend on its number alone, so that a
            resumed run sees what an uninterrupted one would.
        plan: How long and how fast.
        work: Folder of `checkpoint.safetensors` and of `log.jsonl`: losses, rate and dev metrics by step.
        settings: What a run must have in common with the one it goes on from.
        measure: Dev metrics, taken at every checkpoint.

    Raises:
        ConfigError: the checkpoint in `work` was made with other settings.
    """
    work.mkdir(parents=True, exist_ok=True)
    optimizer = torch.optim.AdamW(_groups(module, plan.decay), lr=plan.rate, betas=(0.9, 0.98))
    noted = json.dumps(settings, sort_keys=True)
    start = _resume(module, optimizer, work, noted)
    module.train()
    sums: dict[str, float] = {}
    clock = time.perf_counter()
    for step in tqdm(range(start, plan.steps), initial=start, total=plan.steps, desc="train", unit="step"):
        for group in optimizer.param_groups:
            group["lr"] = plan.rate_at(step)
        parts = losses(step)
        torch.stack(list(parts.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        for name, part in parts.items():
            sums[name] = sums.get(name, 0.0) + float(part.detach())
        if (step + 1) % plan.log_every == 0:
            means = {name: round(value / plan.log_every, 5) for name, value in sums.items()}
            seconds, clock, sums = time.perf_counter() - clock, time.perf_counter(), {}
            _note(work, {"step": step + 1, **means, "rate": plan.rate_at(step), "seconds": round(seconds, 1)})
        if (step + 1) % plan.save_every == 0 or step + 1 == plan.steps:
            _save(module, optimizer, step + 1, work, noted)
            if measure is not None:
                module.eval()
                _note(work, {"step": step + 1, "dev": {k: round(v, 4) for k, v in measure().items()}})
                module.train()
    module.eval()


def _groups(module: torch.nn.Module, decay: float) -> list[dict[str, object]]:
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _note(work: Path, entry: Mapping[str, object]) -> None:
    log.info("%s", json.dumps(entry))
    with (work / "log.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(entry) + "\n")


def _trained(module: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


def _save(module: torch.nn.Module, optimizer: torch.optim.Optimizer, step: int, work: Path, settings: str) -> None:
    tensors = {"step": torch.tensor(step)}
    for name, parameter in _trained(module).items():
        tensors[f"weights.{name}"] = parameter.detach().contiguous()
        for moment in _MOMENTS:
            tensors[f"{moment}.{name}"] = optimizer.state[parameter][moment].contiguous()
    draft = work / "checkpoint.draft"
    save_file(tensors, draft, {"settings": settings})
    draft.replace(work / "checkpoint.safetensors")


def _resume(module: torch.nn.Module, optimizer: torch.optim.Optimizer, work: Path, settings: str) -> int:
    """Load the last checkpoint, and say how many steps it has behind it."""
    path, log_file = work / "checkpoint.safetensors", work / "log.jsonl"
    if not path.is_file():
        log_file.unlink(missing_ok=True)
        return 0
    with safe_open(path, "pt") as file:
        made_with = (file.metadata() or {}).get("settings")
    if made_with != settings:
        raise ConfigError(f"{path} was made with {made_with}, not {settings}: give another folder, or delete it.")
    tensors = load_file(path)
    step = int(tensors["step"])
    # What a run noted after its last checkpoint is done again.
    lines = log_file.read_text(encoding="utf-8").splitlines() if log_file.is_file() else []
    kept = [line for line in lines if json.loads(line)["step"] <= step]
    log_file.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    with torch.no_grad():
        for name, parameter in _trained(module).items():
            parameter.copy_(tensors[f"weights.{name}"])
            state = {moment: tensors[f"{moment}.{name}"].to(parameter.device) for moment in _MOMENTS}
            optimizer.state[parameter] = {"step": torch.tensor(float(step)), **state}
    log.info("going on from step %d of %s", step, path)
    return step
