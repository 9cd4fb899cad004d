from __future__ import annotations

import json
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from jina_components.errors import ConfigError  # noqa: E402
from jina_components.fine_tuner.recipes.training.loop import Plan, train  # noqa: E402

SETTINGS = {"seed": 0}
PLAN = Plan(steps=12, rate=0.1, warmup=2, log_every=3, save_every=4)


def fresh():
    torch.manual_seed(0)
    return torch.nn.Linear(3, 1)


def losses_of(module, seen=None):
    def losses(step):
        if seen is not None:
            seen.append(step)
        inputs = torch.full((2, 3), float(step % 5))
        return {"square": (module(inputs) - 1).square().mean()}

    return losses


def weights(module):
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path):
    whole = fresh()
    train(whole, losses_of(whole), PLAN, tmp_path / "whole", settings=SETTINGS)
    cut, seen = fresh(), []

    def interrupted(step):
        if step == 9:
            raise KeyboardInterrupt
        return losses_of(cut)(step)

    with pytest.raises(KeyboardInterrupt):
        train(cut, interrupted, PLAN, tmp_path / "cut", settings=SETTINGS)
    resumed = torch.nn.Linear(3, 1)
    train(resumed, losses_of(resumed, seen), PLAN, tmp_path / "cut", settings=SETTINGS)
    assert seen == [8, 9, 10, 11]
    torch.testing.assert_close(weights(resumed), weights(whole), rtol=0, atol=0)


def test_it_learns_and_notes_losses_and_dev_metrics(tmp_path):
    module = fresh()
    states = []

    def measure():
        states.append(module.training)
        return {"bias": float(module.bias.detach())}

    train(
        module,
        losses_of(module),
        replace(PLAN, steps=60, log_every=10, save_every=20),
        tmp_path,
        settings=SETTINGS,
        measure=measure,
    )
    noted = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    losses = {entry["step"]: entry["square"] for entry in noted if "square" in entry}
    assert list(losses) == [10, 20, 30, 40, 50, 60]
    assert losses[60] < losses[10] / 10
    assert [entry["step"] for entry in noted if "dev" in entry] == [20, 40, 60]
    assert states == [False] * 3
    assert not module.training


def test_what_needs_no_gradient_stays(tmp_path):
    module = fresh()
    module.weight.requires_grad_(requires_grad=False)
    before = module.weight.clone()
    train(module, losses_of(module), PLAN, tmp_path, settings=SETTINGS)
    torch.testing.assert_close(module.weight, before, rtol=0, atol=0)


def test_the_rate_rises_then_falls_to_nothing():
    rates = [PLAN.rate_at(step) for step in range(PLAN.steps + 1)]
    assert rates[:2] == [0.05, 0.1]
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] == pytest.approx(0)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    module = fresh()
    train(module, losses_of(module), PLAN, tmp_path, settings=SETTINGS)
    with pytest.raises(ConfigError, match='was made with {"seed": 0}, not {"seed": 1}: give another folder'):
        train(module, losses_of(module), PLAN, tmp_path, settings={"seed": 1})


def test_what_was_noted_after_the_last_checkpoint_is_noted_once(tmp_path):
    module = fresh()

    def interrupted(step):
        if step == 7:
            raise KeyboardInterrupt
        return losses_of(module)(step)

    with pytest.raises(KeyboardInterrupt):
        train(module, interrupted, PLAN, tmp_path, settings=SETTINGS)
    train(module, losses_of(module), PLAN, tmp_path, settings=SETTINGS)
    steps = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
