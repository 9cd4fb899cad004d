"""Classifier: texts and images into labels, by what the labels mean or by examples of them."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence, Sized
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from jina_components.classifier.evaluation import Evaluation
from jina_components.classifier.labelling import Labeller, check_exclusive
from jina_components.classifier.learned import Learned, as_examples
from jina_components.classifier.saved import SavedClassifier
from jina_components.classifier.space import Space
from jina_components.classifier.zero_shot import TEMPLATES, as_templates
from jina_components.core.component import Component
from jina_components.core.flow import adrive, drive
from jina_components.core.inputs import check_count, is_finite_number
from jina_components.core.progress import Bar, progress_bar
from jina_components.errors import ConfigError, InputError
from jina_components.protocols import SupportsEmbed
from jina_components.types import Classifications, Image
from jina_components.types.classified import ClassifierVersion, Examples, GroupedClassifications, Labels, Training


class Classifier(Component):
    """Gives texts, and images by embedders that see, one of the labels it is told, or that it has learned.

    Zero-shot: `classify(inputs, labels=[…])` compares where the embedder places inputs and labels; nothing is learned.
    Few-shot: `train(examples)` learns labels from examples as they come, keeping none of them, and `classify(inputs)`
    gives what was learned; `train` again at any time, also with new labels.

    Thread-safe. Nothing is embedded or read before the first call. Pickles as its settings; one that was trained in
    memory does not.

    Args:
        embedder: Makes vectors of inputs and labels; an `Embedder` for images and for `usage`. It stays open.
        path: Directory that keeps what is learned; made by the first `train` where it is not there. Others may use
            it at the same time: what one has trained, the next call of the others knows. None for memory.
        version: Open this old version of `path`, to read it; None for the one that counts.
        template: What labels are put into to be embedded, in place of its `{}`; the vectors of several are averaged.
        temperature: Zero-shot probabilities are the softmax of cosines divided by it. None for a temperature measured
            once on the embedder, by how far apart it places texts that have nothing in common (32 short texts are
            embedded); it suits texts. For images take the one that the model was trained with, 0.01 for CLIP.
        threshold: A label must be as probable as this, or the classifier abstains; None for 0, and 0.5 with
            `multi_label`.
        multi_label: Zero-shot labels are independent: any number of them may hold, and their probabilities need not
            sum to 1. A label's probability depends on how much nearer the text lies to it than unrelated texts do, and
            on the number of labels. For texts, not images.
        use_label_names: `train` learns from the names of new labels too, as from some more examples: much where there
            are few. Leave it on where names say what labels mean, off where they are codes (names without a letter
            never count).

    Raises:
        ConfigError: a setting out of range, a template without `{}`, no embedder, a path that is none, or a version
            without one.

    Example:
        >>> from jina_components import Embedder
        >>> classifier = Classifier(Embedder())
        >>> classifier.classify(["The match ended in a draw."], labels=["sports", "politics"])[0].label
        'sports'
    """

    def __init__(
        self,
        embedder: SupportsEmbed,
        *,
        path: str | os.PathLike[str] | None = None,
        version: int | None = None,
        template: str | Sequence[str] = TEMPLATES,
        temperature: float | None = None,
        threshold: float | None = None,
        multi_label: bool = False,
        use_label_names: bool = True,
    ) -> None:
        self._space = Space(embedder)
        templates = as_templates(template)
        if temperature is not None and not (is_finite_number(temperature) and temperature > 0):
            raise ConfigError(f"temperature must be a positive number or None, got {temperature!r}.")
        if threshold is not None and not (is_finite_number(threshold) and 0 <= threshold <= 1):
            raise ConfigError(f"threshold must be a probability within 0 and 1 or None, got {threshold!r}.")
        if version is not None and path is None:
            raise ConfigError("version is one of those that path keeps: pass path= too.")
        self._multi_label = multi_label
        self._use_label_names = use_label_names
        self._path = None if path is None else _as_path(path)
        self._learned = Learned(self._space, None if self._path is None else SavedClassifier(self._path), version)
        self._labeller = Labeller(
            self._space,
            self._learned,
            templates=templates,
            temperature=temperature,
            threshold=threshold if threshold is not None else 0.5 if multi_label else 0.0,
            multi_label=multi_label,
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Those learned, in the order of their first example; none before `train`."""
        state = self._learned.state()
        return () if state is None else state.learner.labels

    @property
    def version(self) -> int:
        """Number of the version in use; each `train` makes the next, and 0 is before the first."""
        state = self._learned.state()
        return 0 if state is None else state.number

    @property
    def versions(self) -> tuple[ClassifierVersion, ...]:
        """Versions that `path` keeps, ascending: the last five.

        Raises:
            ConfigError: it is in memory.
            ModelFilesError: the directory is damaged, or something else.
        """
        return self._learned.versions()

    def classify(
        self, inputs: Sequence[str | Image], labels: Labels | None = None, *, show_progress: bool = False
    ) -> Classifications:
        """The label of each input.

        Args:
            inputs: Texts, and images for an embedder that takes them, also mixed. An empty list gives an empty result.
            labels: What to choose from: names that say what they mean, or by name a description that stands for it.
                White space around a name is not part of it; case tells labels apart. Embedded once and remembered, for
                the last 32 sets. None for the labels learned.
            show_progress: Draw a bar on stderr.

        Raises:
            InputError: a bare string, a blank input, or one that the embedder refuses, such as a text over its
                context; fewer than two labels (one with `multi_label`), a blank one, or one twice; `.index` names it.
                A description that is no str. An image where the embedder takes none, or with `multi_label`.
            ConfigError: no labels, and fewer than two learned.
            ModelFilesError, IndexMismatchError, UnknownNameError: what `path` keeps is damaged, was made with another
                embedder, or lacks the version.
            BackendError: the embedder gave something else than vectors of one width.
        """
        with _progress(inputs, "Classifying", show=show_progress) as bar:
            return drive(self._labeller.flow(inputs, labels, bar.update))

    async def aclassify(
        self, inputs: Sequence[str | Image], labels: Labels | None = None, *, show_progress: bool = False
    ) -> Classifications:
        """`classify` without blocking the event loop; cancelling stops it before its next 1,024 inputs."""
        with _progress(inputs, "Classifying", show=show_progress) as bar:
            return await adrive(self._labeller.flow(inputs, labels, bar.update))

    def classify_groups(
        self, inputs: Sequence[str | Image], groups: Mapping[str, Labels], *, show_progress: bool = False
    ) -> GroupedClassifications:
        """The label of each input in each of several sets of labels; inputs are embedded once.

        Args:
            inputs: As in `classify`.
            groups: Labels, as in `classify`, by the name of their group.
            show_progress: Draw a bar on stderr.

        Raises:
            InputError: no groups, one without a name, or what `classify` refuses.
            BackendError: as in `classify`.
        """
        with _progress(inputs, "Classifying", show=show_progress) as bar:
            return drive(self._labeller.group_flow(inputs, groups, bar.update))

    async def aclassify_groups(
        self, inputs: Sequence[str | Image], groups: Mapping[str, Labels], *, show_progress: bool = False
    ) -> GroupedClassifications:
        """`classify_groups` without blocking the event loop; cancelling as in `aclassify`."""
        with _progress(inputs, "Classifying", show=show_progress) as bar:
            return await adrive(self._labeller.group_flow(inputs, groups, bar.update))

    def train(self, examples: Examples, *, num_iters: int = 10, show_progress: bool = False) -> Training:
        """Learn labels from examples, in addition to what was learned before; all of them, or nothing.

        With a `path` it is on the disk when this returns, as the next version, ready for all who open it; a process
        killed meanwhile leaves the version before. In memory the first `classify` afterwards makes it ready, which
        takes seconds where there are hundreds of labels, however many examples were seen.

        Args:
            examples: Inputs with their labels, known or new, as pairs or `Example`s. An empty list changes nothing.
            num_iters: How thoroughly the classifier is fitted to what is known of all examples, from now on.
            show_progress: Draw a bar on stderr.

        Returns:
            What has changed.

        Raises:
            InputError: an example that is none, is blank or that the embedder refuses, or a label that is blank;
                `.index` names it. `num_iters` below 1.
            BusyError: it is being trained by another caller, in this process or another.
            ConfigError: labels are independent (`multi_label`), or an old version is open.
            ModelFilesError, IndexMismatchError, BackendError: as in `classify`; or `path` cannot be written.
        """
        return self._train(examples, num_iters, threading.Event(), show_progress=show_progress)

    async def atrain(self, examples: Examples, *, num_iters: int = 10, show_progress: bool = False) -> Training:
        """`train` without blocking the event loop; once cancelled, all of it happens or nothing."""
        stopped = threading.Event()
        try:
            return await asyncio.to_thread(self._train, examples, num_iters, stopped, show_progress=show_progress)
        except asyncio.CancelledError:
            stopped.set()
            raise

    def evaluate(self, examples: Examples, labels: Labels | None = None, *, show_progress: bool = False) -> Evaluation:
        """How well it labels examples whose labels are known.

        Args:
            examples: Inputs with their labels, which are among those to choose from.
            labels: What to choose from, as in `classify`; None for the labels learned.
            show_progress: Draw a bar on stderr.

        Raises:
            InputError: no examples, a label that is not among those to choose from, or what `classify` refuses.
            ConfigError: labels are independent (`multi_label`), or as in `classify`.
        """
        with _progress(examples, "Classifying", show=show_progress) as bar:
            return drive(self._labeller.evaluation_flow(examples, labels, bar.update))

    async def aevaluate(
        self, examples: Examples, labels: Labels | None = None, *, show_progress: bool = False
    ) -> Evaluation:
        """`evaluate` without blocking the event loop; cancelling as in `aclassify`."""
        with _progress(examples, "Classifying", show=show_progress) as bar:
            return await adrive(self._labeller.evaluation_flow(examples, labels, bar.update))

    def rollback(self, version: int) -> None:
        """Make an old version of `path` the one that counts; the next `train` goes on from there.

        Raises:
            UnknownNameError: it is not kept.
            BusyError, ConfigError, ModelFilesError: as in `train`.
        """
        self._learned.rollback(version)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what was learned into a new directory, for `Classifier(embedder, path=…)`; this one stays as it is.

        Raises:
            ConfigError: nothing has been learned, or `path` is no path.
            ModelFilesError: there is something already, or it cannot be written.
        """
        self._learned.save(SavedClassifier(_as_path(path)))

    def close(self) -> None:
        """Give memory back, but for what was learned in memory; the next call embeds and reads again."""
        self._labeller.forget()
        self._learned.forget()

    def __reduce__(self) -> tuple[Any, ...]:
        if self._learned.is_unsaved:
            raise InputError(
                "A classifier trained in memory does not pickle: save() it, and open Classifier(embedder, path=…)."
            )
        return super().__reduce__()

    def __repr__(self) -> str:
        path = "" if self._path is None else f", path={str(self._path)!r}"
        return f"Classifier({self._space!r}{path})"

    def _train(self, examples: Examples, num_iters: int, stopped: threading.Event, *, show_progress: bool) -> Training:
        check_exclusive(multi_label=self._multi_label)
        check_count(num_iters, what="num_iters")
        checked = as_examples(examples, self._space)
        if not checked:
            return Training(0, self.labels, (), self.version)
        with _progress(checked, "Training", show=show_progress) as bar:
            return self._learned.train(
                checked,
                num_iters=num_iters,
                words=self._labeller.words if self._use_label_names else None,
                advance=bar.update,
                stopped=stopped,
            )


def _as_path(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise ConfigError(f"path must name a directory, as str or Path, got {path!r}.")
    return Path(path)


def _progress(items: Sized, what: str, *, show: bool) -> AbstractContextManager[Bar]:
    return progress_bar(what, unit="input", total=len(items) if isinstance(items, Sized) else None, show=show)
