"""sentence-transformers' Trainer over a plan of batches, which ends alike however often it is interrupted."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sentence_transformers.base.trainer import BaseTrainer
from sentence_transformers.base.training_args import BaseTrainingArguments
from torch.utils.data import DataLoader
from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from jina_components.errors import ConfigError
from jina_components.fine_tuner.settings import FitSettings
from jina_components.fine_tuner.training import checkpoints
from jina_components.fine_tuner.training.checkpoints import Trained
from jina_components.fine_tuner.training.losses import Objective

if TYPE_CHECKING:
    from jina_components.fine_tuner.training.bases import Model

StepEnd = Callable[[int, dict[str, float], float], bool]
"""Told the steps that are done, the losses and the rate of the last; whether to stop."""


class Trainer(BaseTrainer):
    """One epoch over a plan; whatever a step draws depends on its number and the seed alone.

    Args:
        model: Is fitted in place.
        objective: Over it.
        plan: What `collate` makes the batch of each step of.
        collate: Makes a batch.
        settings: Rates.
        work: Folder of the checkpoints.
        device: "cpu" or "cuda".
        half: Whether layers run in bfloat16.
        seed: Of what dropout draws.
        after: Is told of every step.
    """

    def __init__(
        self,
        model: Model,
        objective: Objective,
        plan: Sequence[Sequence[int]],
        collate: Callable[[Sequence[int]], dict[str, Any]],
        settings: FitSettings,
        work: Path,
        *,
        device: str,
        half: bool,
        seed: int,
        after: StepEnd,
    ) -> None:
        arguments = BaseTrainingArguments(
            output_dir=str(work),
            max_steps=len(plan),
            learning_rate=settings.rate,
            warmup_steps=round(settings.warmup * len(plan)),
            lr_scheduler_type="linear",
            weight_decay=settings.decay,
            optim="adamw_torch",
            bf16=half,
            use_cpu=device == "cpu",
            seed=seed,
            logging_strategy="no",
            save_strategy="no",
            eval_strategy="no",
            report_to="none",
            push_to_hub=False,
            disable_tqdm=True,
            dataloader_pin_memory=device != "cpu",
        )
        arguments._n_gpu = min(1, arguments.n_gpu)  # noqa: SLF001 (several would each see a part of the batch's rivals)
        self._plan, self._collated, self.objective = list(plan), collate, objective
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=self._plan,  # of no columns: `collate` knows what the numbers stand for
            loss=objective,
            data_collator=collate,  # type: ignore[arg-type]
            callbacks=[_Steps(self, seed, after)],
        )
        for printing in (PrinterCallback, ProgressCallback):
            self.remove_callback(printing)

    @property
    def trained(self) -> Trained:
        """What a checkpoint is made of."""
        return Trained(self.model, self.optimizer, self.lr_scheduler)

    def get_default_loss(self, model: Model) -> torch.nn.Module:
        """There is none: the objective is always given, so that this is never asked."""
        raise NotImplementedError

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Our card is another, and asks nobody."""

    def preprocess_dataset(self, dataset: Any = None, dataset_name: str | None = None) -> Any:  # noqa: ANN401, ARG002
        """A plan is ready as it is."""
        return dataset

    def get_train_dataloader(self) -> DataLoader:
        """The batches of the plan, in its order."""
        return DataLoader(self._plan, batch_size=1, shuffle=False, collate_fn=lambda rows: self._collated(rows[0]))

    def compute_loss(
        self, model: Model, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None  # noqa: ANN401, ARG002
    ) -> torch.Tensor:  # fmt: skip
        """The objective's, of either kind of model.

        Raises:
            ConfigError: it is no number any more.
        """
        labels = inputs.pop("label")
        sides: dict[str, dict[str, Any]] = {}
        for name, value in inputs.items():
            side, _, key = name.partition("_")
            sides.setdefault(side, {})[key] = value
        loss = self.objective(list(sides.values()), labels)
        if not math.isfinite(float(loss.detach())):
            raise ConfigError(
                f"The run diverged: at step {self.state.global_step + 1} the loss is {float(loss.detach())} "
                f"({self.objective.parts}). Lower rate ({self.args.learning_rate:g}), or raise warmup or temperature."
            )
        return loss

    def _load_from_checkpoint(self, checkpoint_path: str, model: object = None) -> None:  # noqa: ARG002
        checkpoints.load_module(Path(checkpoint_path), self.model)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            checkpoints.load_optimizer(Path(checkpoint), self.trained)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Each step is seeded by its number, so there is nothing to load."""


class _Steps(TrainerCallback):  # type: ignore[misc]
    def __init__(self, trainer: Trainer, seed: int, after: StepEnd) -> None:
        self._trainer, self._seed, self._after, self._rate = trainer, seed, after, 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        self._rate = self._trainer.optimizer.param_groups[0]["lr"]
        torch.manual_seed(int(np.random.SeedSequence([self._seed, state.global_step]).generate_state(1)[0]))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        if self._after(state.global_step, self._trainer.objective.parts, self._rate):
            control.should_training_stop = True


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Random numbers of the libraries, which begin from the seed and go on outside as if nothing had drawn."""
    import random

    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 (transformers seeds the old one)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


@contextmanager
def interruption() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, so that a step is ended first; the second time it interrupts at once.

    In another thread than the main one signals cannot be heard, and Ctrl-C interrupts whatever runs.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            signal.default_int_handler(number, frame)
        asked = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
