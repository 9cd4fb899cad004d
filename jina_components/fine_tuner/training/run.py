"""Fitting a model to triplets: from the base's files to a folder with a card."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from filelock import FileLock, Timeout
from safetensors.torch import load_file, save_file

from jina_components.core.durable import remove, write_file, write_folder
from jina_components.core.progress import Bar, progress_bar
from jina_components.errors import BusyError, ConfigError
from jina_components.fine_tuner.fit import FitProgress, FitResult, Progress
from jina_components.fine_tuner.settings import FitSettings
from jina_components.fine_tuner.training import checkpoints
from jina_components.fine_tuner.training.bases import find_base, load_model, save_model
from jina_components.fine_tuner.training.card import card_of
from jina_components.fine_tuner.training.examples import Examples, Side, collate
from jina_components.fine_tuner.training.head import HeadModel
from jina_components.fine_tuner.training.lora import adapt, freeze, merge
from jina_components.fine_tuner.training.losses import NEED_BASE, Objective
from jina_components.fine_tuner.training.measure import DECISIVE, Measure, measure_of, outputs
from jina_components.fine_tuner.training.trainer import Trainer, interruption, own_randomness
from jina_components.fine_tuner.triplets import SPLITS, Split, Triplets
from jina_components.models.backends.linear import choose_precision
from jina_components.models.backends.silence import SILENCE
from jina_components.models.backends.torch import pick_device

if TYPE_CHECKING:
    from jina_components.fine_tuner.training.bases import Model

log = logging.getLogger(__name__)

RECORD, LOG = "training.json", "log.jsonl"
_BEST, _BASE_OUTPUTS = "best.safetensors", "base_outputs.safetensors"
_SLICE = 2048  # texts that the base is asked about at a time: it sorts them by length
_FEW = 32  # examples of a batch, or steps of an epoch, that one of them is not less than where they are few


@dataclass
class _Course:
    """Where a run is; in every checkpoint.

    Attributes:
        best: Dev metric of the best weights so far.
        best_step: Steps that they had behind them.
        since: Measurements after that.
        done: Steps.
        over: Whether there is nothing more to do.
        before: The base's metrics.
    """

    best: float = 0.0
    best_step: int = 0
    since: int = 0
    done: int = 0
    over: bool = False
    before: dict[Split, Mapping[str, float]] = field(default_factory=dict)


class Run:
    """A model being fitted.

    Args:
        base: Name, folder or hub id.
        triplets: What to.
        to: Folder to write.
        settings: How.
        seed: Of what is drawn.
        device: "auto", "cpu" or "cuda".
    """

    def __init__(
        self, base: str, triplets: Triplets, to: Path, *, settings: FitSettings, seed: int, device: str
    ) -> None:
        self._base, self._triplets, self._to, self._seed = find_base(base), triplets, to, seed
        self._device = pick_device(device)
        if self._device.index:
            raise ConfigError(f"device={device!r}: choose the card with CUDA_VISIBLE_DEVICES, and give 'cuda'.")
        self._half = self._base.kind != "static" and choose_precision("auto", self._device, wide=True) == "bfloat16"
        self._settings = settings
        self._work = to.with_name(f"{to.name}.training")

    def __call__(self, *, progress: Progress | None, show_progress: bool, resume: bool) -> FitResult:
        """Go on, or begin; see `fit`."""
        started = time.perf_counter()
        self._work.parent.mkdir(parents=True, exist_ok=True)
        with _alone(self._work), own_randomness(self._seed):
            if not resume:
                remove(self._work)
            if finished := self._finished():
                return finished
            self._work.mkdir(exist_ok=True)
            encoder = load_model(self._base, self._work, self._device.type)
            chosen = self._settings.batch is not None
            self._settings = self._settings.filled(
                self._base.kind,
                parameters=sum(weight.numel() for weight in encoder.parameters()),
                widths=self._base.widths,
            )
            examples = Examples.of(self._triplets, "train", self._base, self._settings)
            if not chosen:
                fewer = min(self._settings.batch or 1, max(_FEW, len(examples) // _FEW))
                self._settings = replace(self._settings, batch=fewer)
            self._check_same()
            context = encoder.max_seq_length
            if self._base.kind != "static":
                encoder.max_seq_length = min(context or self._settings.max_tokens, self._settings.max_tokens)
            examples = self._with_base(encoder, examples, show_progress=show_progress)
            model = self._fitted(encoder, examples)
            freeze(model, self._settings.frozen or ())
            if self._settings.lora:
                adapt(model, self._settings.lora)
            measures = {
                split: measure
                for split in SPLITS[1:]
                if (measure := measure_of(model, self._base, self._triplets, split, self._settings, half=self._half))
            }
            course = self._train(model, examples, measures, progress, show_progress=show_progress)
            checkpoints.load_weights(model, self._work / _BEST)
            after = {split: measure() for split, measure in measures.items()}
            if self._settings.lora:
                merge(model)
            if self._base.kind != "static":
                encoder.max_seq_length = context
            result = FitResult(
                path=self._to,
                kind=self._base.kind,
                steps=course.done,
                best_step=course.best_step,
                before=course.before,
                after=after,
                settings=self._settings,
                seconds=round(time.perf_counter() - started, 1),
            )
            if measures and not course.best_step:
                log.warning("%s: no step was better for the dev questions than the base, whose weights stay", self._to)
            whole = model.whole() if isinstance(model, HeadModel) and course.best_step else encoder
            write_folder(self._to, partial(self._write, whole, result))
            remove(self._work)
            return result

    def _with_base(self, model: Model, examples: Examples, *, show_progress: bool) -> Examples:
        """With what the base gives for all texts, where something asks for it; kept, for it takes a while."""
        losses = {name for name, weight in (self._settings.losses or {}).items() if weight}
        if not (self._settings.hidden or NEED_BASE & losses or (self._settings.alike or 0) <= 1):
            return examples
        kept = self._work / _BASE_OUTPUTS
        if not kept.is_file():
            total = sum(len(side.inputs) for side in examples.sides)
            with progress_bar("base", unit="text", total=total, show=show_progress) as bar:

                def given(side: Side) -> torch.Tensor:
                    found = []
                    for start in range(0, len(side.inputs), _SLICE):
                        part = replace(side, inputs=side.inputs[start : start + _SLICE])
                        found.append(torch.from_numpy(outputs(model, self._base, part, half=self._half)))
                        bar.update(len(part.inputs))
                    return torch.cat(found)

                tensors = {str(number): given(side) for number, side in enumerate(examples.sides)}
            write_file(kept, lambda file: save_file(tensors, file.name))
        tables = iter(load_file(kept)[str(number)].numpy() for number in range(len(examples.sides)))
        return examples.with_base(lambda side: next(tables))

    def _fitted(self, encoder: Model, examples: Examples) -> Model:
        """What is fitted: the model itself, or a layer on top of it."""
        if not self._settings.hidden:
            return encoder
        model = HeadModel(encoder, self._settings.hidden)
        for side in examples.sides:
            model.know(side)
        return model

    def _train(
        self,
        model: Model,
        examples: Examples,
        measures: Mapping[Split, Measure],
        progress: Progress | None,
        *,
        show_progress: bool,
    ) -> _Course:
        given = self._settings
        batch = min(given.batch or 1, len(examples))
        steps = max(1, round((given.epochs or 1) * (len(examples) // batch)))
        steps = min(steps, given.max_steps or steps)
        checkpoint = checkpoints.last_checkpoint(self._work)
        course = _Course(**checkpoints.read_about(checkpoint)) if checkpoint else self._begin(model, measures)
        if course.over:
            return course
        self._cut_log(course.done)
        with (
            interruption() as interrupted,
            progress_bar("fit", unit="step", total=steps, initial=course.done, show=show_progress) as bar,
        ):

            def after(step: int, losses: dict[str, float], rate: float) -> bool:
                course.done = step
                measured = step % (given.check_every or 1) == 0 or step == steps
                dev = measures["dev"]() if measured and "dev" in measures else {}
                self._judge(course, model, dev, last=step == steps)
                course.over = step == steps or course.since >= given.patience
                self._tell(FitProgress(step=step, steps=steps, losses=losses, dev=dev), rate, bar, progress)
                stop = course.over or interrupted()
                if stop or measured or step % given.save_every == 0:
                    state = json.dumps(asdict(trainer.state), sort_keys=True)
                    checkpoints.save_checkpoint(self._work, step, state, trainer.trained, asdict(course))
                return stop

            trainer = Trainer(
                model,
                Objective(model, self._base.kind, given, column=self._base.column),
                examples.plan(steps, batch, self._seed),
                partial(collate, examples, model),
                given,
                self._work,
                device=self._device.type,
                half=self._half and not given.hidden,
                seed=self._seed,
                after=after,
            )
            with SILENCE:
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
            if interrupted() and not course.over:
                raise KeyboardInterrupt(f"Interrupted after step {course.done} of {steps}; the same call goes on.")
        return course

    def _begin(self, model: Model, measures: Mapping[Split, Measure]) -> _Course:
        before = {split: measure() for split, measure in measures.items()}
        self._keep(model, 0)
        return _Course(best=before.get("dev", {}).get(DECISIVE, 0.0), before=before)

    def _judge(self, course: _Course, model: Model, dev: Mapping[str, float], *, last: bool) -> None:
        """Keep the weights where they are the best, or without dev questions the last."""
        if dev:
            better = dev[DECISIVE] > course.best
            course.since = 0 if better else course.since + 1
        else:
            better = last and "dev" not in course.before
        if better:
            course.best, course.best_step = dev.get(DECISIVE, 0.0), course.done
            self._keep(model, course.done)

    def _keep(self, model: Model, step: int) -> None:
        write_file(self._work / _BEST, lambda file: checkpoints.save_weights(model, Path(file.name), {"step": step}))

    def _tell(self, now: FitProgress, rate: float, bar: Bar, progress: Progress | None) -> None:
        line = {"step": now.step, **now.losses, "rate": rate, **({"dev": now.dev} if now.dev else {})}
        with (self._work / LOG).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(line) + "\n")
        bar.update(1)
        shown = {**now.losses, **{f"dev {name}": value for name, value in now.dev.items()}}
        bar.set_postfix_str(", ".join(f"{name} {value:.3f}" for name, value in shown.items()))
        if progress is not None:
            progress(now)

    def _cut_log(self, done: int) -> None:
        """What was noted after the last checkpoint is done again."""
        path = self._work / LOG
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        kept = [f"{line}\n" for line in lines[:done]]  # a line a step
        write_file(path, lambda file: file.write("".join(kept).encode()))

    def _identity(self) -> dict[str, Any]:
        """What two runs that end alike have in common."""
        return {
            "base": self._base.fingerprint,
            "triplets": _digest(self._triplets),
            "seed": self._seed,
            **self._settings.to_dict(),
        }

    def _check_same(self) -> None:
        path, now = self._work / "run.json", self._identity()
        if not path.is_file():
            write_file(path, lambda file: file.write(json.dumps(now).encode()))
            return
        then = json.loads(path.read_text(encoding="utf-8"))
        if told := _differences(then, json.loads(json.dumps(now))):
            raise ConfigError(
                f"{self._work} holds a run with another {told}. Fit as it was begun, into another folder, or with "
                "resume=False."
            )

    def _finished(self) -> FitResult | None:
        """The result that the folder holds already."""
        if not self._to.exists() or (self._to.is_dir() and not any(self._to.iterdir())):
            return None
        record = self._to / RECORD
        if not record.is_file():
            raise ConfigError(f"{self._to} exists already: give another folder, or delete it.")
        found = json.loads(record.read_text(encoding="utf-8"))
        asked = {name: value for name, value in self._identity().items() if value is not None}
        then = {name: found["run"].get(name) for name in asked}
        if told := _differences(then, json.loads(json.dumps(asked))):
            raise ConfigError(
                f"{self._to} holds the result of a run with another {told}: give another folder, or delete it."
            )
        made = {name: value for name, value in found["run"].items() if name in FitSettings.__slots__}
        tuples: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in made.items()
        }
        return FitResult(**{**found["result"], "path": self._to, "settings": FitSettings(**tuples)})

    def _write(self, model: Model, result: FitResult, to: Path) -> None:
        save_model(model, self._base, to)
        (to / "README.md").write_text(
            card_of(self._to.name, self._base, self._triplets, result, self._seed), encoding="utf-8"
        )
        told = {name: value for name, value in asdict(result).items() if name not in ("path", "settings")}
        record = {"base": self._base.name, "run": self._identity(), "result": told, "data": dict(self._triplets.about)}
        (to / RECORD).write_text(json.dumps(record, indent=2, default=str) + "\n", encoding="utf-8")
        (to / LOG).write_bytes((self._work / LOG).read_bytes())


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = [name for name in now if then.get(name) != now[name]]
    return ", ".join(f"{name} ({then.get(name)} then, {now[name]} now)" for name in names)


def _digest(triplets: Triplets) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for each in (*triplets.passages.values(), *(row for split in SPLITS for row in (split, *getattr(triplets, split)))):
        digest.update(repr(each).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Keep other processes from the same run."""
    lock = FileLock(work.with_name(f"{work.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BusyError(
            f"Another process is fitting into {work.with_suffix('')}: wait, or give another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()
        remove(Path(lock.lock_file))
