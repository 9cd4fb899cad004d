"""Fitting an embedder or a reranker to triplets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

from jina_components.errors import MissingDependencyError
from jina_components.fine_tuner.settings import FitSettings, Kind
from jina_components.fine_tuner.triplets import Split, Triplets


@dataclass(frozen=True, slots=True, kw_only=True)
class FitProgress:
    """How far a run is.

    Attributes:
        step: Steps that are done.
        steps: That there are at most.
        losses: Of the last step, by name, without their weights.
        dev: Metrics of the dev questions where they were measured after this step, else empty.
    """

    step: int
    steps: int
    losses: Mapping[str, float] = field(default_factory=dict)
    dev: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """A fitted model.

    Attributes:
        path: Its folder, which `Embedder` or `Reranker`, sentence-transformers and LangChain load.
        kind: What it is.
        steps: That were made.
        best_step: After which its weights were the best for the dev questions; 0 where the base was never surpassed,
            whose weights the folder then holds.
        before: Metrics of the base, by split; a split without questions is missing.
        after: The same of the fitted model.
        settings: With every choice that was made.
        seconds: That it took, this time.
    """

    path: Path
    kind: Kind
    steps: int
    best_step: int
    before: Mapping[Split, Mapping[str, float]]
    after: Mapping[Split, Mapping[str, float]]
    settings: FitSettings
    seconds: float

    def __repr__(self) -> str:
        told = [
            f"{split} nDCG@10 {self.before[split]['ndcg@10']:.3f} → {row['ndcg@10']:.3f}"
            for split, row in self.after.items()
        ]
        return (
            f"FitResult({str(self.path)!r}; {'; '.join([f'best after step {self.best_step} of {self.steps}', *told])})"
        )


Progress: TypeAlias = Callable[[FitProgress], object]


def fit(
    base: str,
    triplets: Triplets,
    to: str | Path,
    *,
    settings: FitSettings | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
    show_progress: bool = False,
    resume: bool = True,
) -> FitResult:
    """Fit a model; a run that was interrupted goes on where it was, and ends with the same weights.

    While it runs, `TO.training` beside the folder holds its checkpoints and its log. Ctrl-C ends the step at hand and
    writes a checkpoint; after a kill it goes on from the last one. The same weights are those of the same machine,
    libraries and number of threads.

    Args:
        base: An embedder of one vector a text, or a cross-encoder: name of the catalog, folder or hub id.
        triplets: `train` is learned from, `dev` chooses the checkpoint, `test` is only measured.
        to: Folder to write. Where it holds the result of this very run, that is returned.
        settings: What to fit, how long and how fast.
        seed: Of the order of the questions, of what dropout draws and of a new layer's first weights.
        device: "auto", "cpu" or "cuda".
        progress: Is told of every step.
        show_progress: Whether to draw a bar.
        resume: False throws away what an interrupted run left.

    Raises:
        ConfigError: the model cannot be fitted, there is a folder already, the interrupted run had other settings or
            data, or the run diverged.
        InputError: no question to train with.
        BusyError: another process is fitting into the same folder.
        UnknownNameError, ModelFilesError: there is no such model.
        MissingDependencyError: sentence-transformers, datasets, accelerate or peft is not installed.
        KeyboardInterrupt: it was interrupted; the checkpoint is written.
    """
    try:
        for needed in ("accelerate", "datasets", "sentence_transformers"):
            import_module(needed)
        from jina_components.fine_tuner.training.run import Run
    except ImportError as error:
        raise MissingDependencyError("Fitting needs more: pip install 'jina-components[train]'.") from error
    run = Run(base, triplets, Path(to), settings=settings or FitSettings(), seed=seed, device=device)
    return run(progress=progress, show_progress=show_progress, resume=resume)
