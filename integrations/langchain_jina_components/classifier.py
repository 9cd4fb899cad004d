"""LangChain's runnable over our classifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, TypeAlias

from langchain_core.runnables import RunnableConfig, RunnableSerializable
from pydantic import ConfigDict, Field

from jina_components import Classifier, Embedder, Image
from jina_components.errors import ConfigError
from jina_components.models.catalog import DEFAULT_EMBEDDER
from jina_components.remote import Remote, RemoteClassifier
from jina_components.types import Classification
from jina_components.types.classified import Labels
from langchain_jina_components.remote import RemoteByArgument, named

Item: TypeAlias = str | Image
Input: TypeAlias = Item | Sequence[Item]
"""A text, an image, or several of them."""
Output: TypeAlias = Classification | list[Classification]
"""What is said of it, or of each of them."""


class JinaClassifier(RemoteByArgument, RunnableSerializable[Input, Output]):
    """A LangChain runnable over a `Classifier`: from a text, an image or a list of them to a `Classification` of each.

    `batch` classifies all that it is given together. `labels` may also be given with a call, or by `bind`.

    Attributes:
        classifier: Anything with `classify` and its twin `aclassify`, such as one that was trained; None for one of the
            settings below.
        labels: What to choose from: names, or by name a description; None for those that the classifier has learned.
        model: The model; by default `jina-embeddings-v3` on Jina's hosts, else the bundled one.
        classifier_id: A classifier that was trained on the server, rather than a model.

    Raises:
        ConfigError: a classifier and settings of one are given, or a `classifier_id` without a server.

    Example:
        >>> classifier = JinaClassifier(labels=["sports", "politics"])
        >>> classifier.invoke("The match ended in a draw.").label
        'sports'
    """

    model_config = ConfigDict(extra="forbid")  # which the other base would allow

    part: ClassVar[str] = "classifier"
    made_of: ClassVar[tuple[str, ...]] = ("model", "classifier_id")

    classifier: Any = Field(default=None, frozen=True)
    labels: list[str] | dict[str, str] | None = None
    model: str = Field(
        default_factory=named("classifier", remote="jina-embeddings-v3", here=DEFAULT_EMBEDDER), frozen=True
    )
    classifier_id: str | None = Field(default=None, frozen=True)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """True: `dumps` writes the settings, but for the key."""
        return True

    @property
    def InputType(self) -> Any:  # noqa: N802 (as LangChain has it)
        """Texts: there is no JSON schema of an image."""
        return str | list[str]

    @property
    def OutputType(self) -> Any:  # noqa: N802
        """A `Classification`, or a list of them."""
        return Output

    def invoke(
        self,
        input: Input,
        config: RunnableConfig | None = None,
        *,
        labels: Labels | None = None,
        **kwargs: Any,
    ) -> Output:
        """The labels of an input, or of each of a list; raises what `Classifier.classify` raises."""
        return self._call_with_config(lambda given: self._classify([given], labels)[0], input, config, **kwargs)

    async def ainvoke(
        self,
        input: Input,
        config: RunnableConfig | None = None,
        *,
        labels: Labels | None = None,
        **kwargs: Any,
    ) -> Output:
        """`invoke` without blocking the event loop."""

        async def classify(given: Input) -> Output:
            return (await self._aclassify([given], labels))[0]

        return await self._acall_with_config(classify, input, config, **kwargs)

    def batch(
        self,
        inputs: list[Input],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        labels: Labels | None = None,
        **kwargs: Any,
    ) -> list[Output]:
        """The labels of many inputs, in one call; one at a time where each may fail for itself."""
        if return_exceptions:
            return super().batch(inputs, config, return_exceptions=True, labels=labels, **kwargs)
        return self._batch_with_config(lambda given: self._classify(given, labels), inputs, config, **kwargs)

    async def abatch(
        self,
        inputs: list[Input],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        labels: Labels | None = None,
        **kwargs: Any,
    ) -> list[Output]:
        """`batch` without blocking the event loop."""
        if return_exceptions:
            return await super().abatch(inputs, config, return_exceptions=True, labels=labels, **kwargs)

        async def classify(given: list[Input]) -> list[Any]:
            return await self._aclassify(given, labels)

        return await self._abatch_with_config(classify, inputs, config, **kwargs)

    def _classify(self, inputs: Sequence[Input], labels: Labels | None) -> list[Any]:
        found = self._component.classify(_flat(inputs), labels or self.labels)
        return _parted(inputs, iter(found))

    async def _aclassify(self, inputs: Sequence[Input], labels: Labels | None) -> list[Any]:
        found = await self._component.aclassify(_flat(inputs), labels or self.labels)
        return _parted(inputs, iter(found))

    def _make(self, remote: Remote | None) -> Classifier | RemoteClassifier:
        if remote is None:
            if self.classifier_id is not None:
                raise ConfigError("classifier_id is of a classifier on a server: pass jina_api_key or base_url too.")
            return Classifier(Embedder(self.model))
        if self.classifier_id is not None:
            return RemoteClassifier(remote, classifier_id=self.classifier_id)
        return RemoteClassifier(remote, model=self.model)


def _flat(inputs: Sequence[Input]) -> list[Item]:
    return [item for given in inputs for item in ([given] if isinstance(given, Item) else given)]


def _parted(inputs: Sequence[Input], found: Iterator[Classification]) -> list[Output]:
    return [next(found) if isinstance(given, Item) else [next(found) for _ in given] for given in inputs]
