"""EntailmentScorer: whether a text shows a statement to be true, or false."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter

from jina_components.core.component import Component
from jina_components.core.flow import Flow, adrive, drive
from jina_components.core.inputs import as_list, as_pairs
from jina_components.core.progress import progress_bar
from jina_components.errors import BackendError, ConfigError
from jina_components.models.catalog import DEFAULT_ENTAILMENT
from jina_components.models.entailing import EntailmentModel, Outcomes
from jina_components.models.loading import LoadOptions, load_entailment_model
from jina_components.models.tokenize import check_text
from jina_components.types import Entailment, Entailments, Usage


class EntailmentScorer(Component):
    """Scores what a premise says of a hypothesis: entailment, neutral or contradiction (natural language inference).

    A cross-encoder reads premise and hypothesis together; the probabilities are the softmax over the logits of its
    labels `entailment`, `neutral` and `contradiction`, which are found by their names in the checkpoint's config.json
    and may stand among others. A checkpoint must have `entailment` and one of the others at least. What it does not
    know has the probability 0; of a model of two labels, `not_entailment` counts as neutral, since such a model does
    not tell what is open from what is false.

    A premise that does not fit the model's context beside its hypothesis is cut into overlapping chunks (80 tokens,
    or a quarter of a chunk if that is less), and the most decided chunk speaks for it: that of the highest entailment
    or contradiction.

    Thread-safe; concurrent calls are merged into one forward pass. Nothing is loaded before the first call or
    `load()`. Pickles as its settings.

    Args:
        model: Catalog name, folder of a sequence-classification checkpoint, or hub id.
        backend: `auto`, `torch` (needs `jina-components[torch]`) or `onnx` (needs `jina-components[torch,onnx]` to
            export a model that ships no graphs). `auto` takes `onnx` for a folder that ships graphs, where they run on
            the device and in the precision asked for (`auto` or `cpu`; `auto`, `float32` or `int8`), else `torch`.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`. `auto` takes the CPU in onnx; in torch CUDA, then MPS, then the
            CPU.
        precision: `auto`, `float32`, `bfloat16`, `float16` or `int8`; logits are float32 whatever it is. `auto` takes
            int8 for shipped graphs and float32 for exported ones; in torch float16 on a GPU, bfloat16 on a CPU with
            instructions for it, else float32.
        revision: Commit, tag or branch on the hub, to override the pinned one.
        offline: Never ask the hub.
        token_budget: Tokens a forward pass may hold; None for the backend's own.

    Raises:
        ConfigError, UnknownNameError: a wrong setting.

    Example:
        >>> [result] = EntailmentScorer().score([("The bridge was opened in 1932.", "The bridge was opened in 1952.")])
        >>> result.label
        'contradiction'
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_ENTAILMENT,
        *,
        backend: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        revision: str | None = None,
        offline: bool = False,
        token_budget: int | None = None,
    ) -> None:
        if backend == "http":
            raise ConfigError("An entailment model runs in this process, not at an endpoint: leave backend='http' out.")
        self._model_name = os.fspath(model)
        self._options = LoadOptions(
            backend=backend,
            device=device,
            precision=precision,
            revision=revision,
            offline=offline,
            token_budget=token_budget,
        )
        self._model: EntailmentModel | None = None
        self._loading = threading.Lock()

    @property
    def name(self) -> str:
        """The model as given."""
        return self._model_name

    def score(
        self, pairs: Sequence[tuple[str, str]], *, truncate: bool = False, show_progress: bool = False
    ) -> Entailments:
        """What each premise says of its hypothesis, in the order of the pairs.

        Args:
            pairs: (premise, hypothesis) each: what is known, and the statement to judge by it. An empty list gives
                an empty result.
            truncate: Judge a premise over the context by its head rather than its most decided chunk, and cut a
                hypothesis that leaves the premise less than an eighth of the context instead of raising.
            show_progress: Draw a bar on stderr.

        Returns:
            One `Entailment` a pair. `usage` counts the tokens that ran: premise or chunk and hypothesis, equal ones
            once.

        Raises:
            InputError: a bare string, or no pair of texts; one that is blank, invalid Unicode, of over 5,000,000
                characters or without a token; a hypothesis over its limit. `.index` names the pair.
            UnknownNameError, ModelFilesError, MissingDependencyError: the model cannot be loaded, or does not score
                entailment.
            BackendError: the model failed; names the pair, unless it failed on all of them alike.
        """
        with progress_bar("Scoring", unit="pair", total=len(as_list(pairs, what="pairs")), show=show_progress) as bar:
            return drive(self._flow(pairs, truncate=truncate, advance=bar.update))

    async def ascore(
        self, pairs: Sequence[tuple[str, str]], *, truncate: bool = False, show_progress: bool = False
    ) -> Entailments:
        """`score` without blocking the event loop; cancelling stops the model before its next pass."""
        with progress_bar("Scoring", unit="pair", total=len(as_list(pairs, what="pairs")), show=show_progress) as bar:
            return await adrive(self._flow(pairs, truncate=truncate, advance=bar.update))

    def _flow(
        self, pairs: Sequence[tuple[str, str]], *, truncate: bool, advance: Callable[[int], object]
    ) -> Flow[Entailments]:
        checked = as_pairs(pairs)
        for index, (premise, hypothesis) in enumerate(checked):
            check_text(premise, f"pairs[{index}]: the premise", index)
            check_text(hypothesis, f"pairs[{index}]: the hypothesis", index)
        if not checked:
            return Entailments()
        model = yield self.load
        pending = yield partial(model.submit, checked, truncate=truncate, on_progress=advance)
        try:
            outcomes: Outcomes = pending.finish((yield pending.future))
        finally:
            pending.cancel()
        if outcomes.errors:
            index, error = min(outcomes.errors.items(), key=itemgetter(0))
            raise BackendError(f"pairs[{index}]: {error.message}") from error
        results = tuple(Entailment(*row) for row in outcomes.probabilities.tolist())
        return Entailments(results, Usage(outcomes.tokens))

    def load(self) -> EntailmentModel:
        """Load the model now rather than at the first call."""
        with self._loading:
            if self._model is None:
                self._model = load_entailment_model(self._model_name, self._options)
            return self._model

    def close(self) -> None:
        """Give the model's memory back; the next call loads it again."""
        with self._loading:
            self._model = None

    def __repr__(self) -> str:
        return f"EntailmentScorer({self._model_name!r})"
