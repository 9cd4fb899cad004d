"""Labels of texts and documents, in Haystack."""

import asyncio
from dataclasses import replace
from typing import Any, ClassVar

from haystack import Document, component
from haystack.utils import Secret

from haystack_jina_components.component import JinaComponent, asynchronously, named
from haystack_jina_components.documents import check_documents
from haystack_jina_components.embedding import REMOTE_EMBEDDER, published
from jina_components.classifier import Classifier
from jina_components.embedder import Embedder
from jina_components.errors import ConfigError
from jina_components.models.catalog import DEFAULT_EMBEDDER
from jina_components.protocols import SupportsClassify
from jina_components.remote import RemoteClassifier
from jina_components.types import Classification, Classifications

Given = list[str] | dict[str, str] | None


class JinaClassifierComponent(JinaComponent):
    """One of our two classifiers: opens what classifies, and asks it."""

    part: ClassVar[str] = "classifier"

    labels: list[str] | dict[str, str] | None
    model: str | None
    classifier: SupportsClassify | None
    progress_bar: bool = False

    def warm_up(self) -> None:
        """Load the embedder of a classifier that was made here."""
        if self._embedder is not None:
            self._embedder.load()

    def close(self) -> None:
        """Give back what was made here; the next call opens it again. A classifier that was given is left."""
        if self.classifier is None:
            self._component.close()
        if self._embedder is not None:
            self._embedder.close()

    async def close_async(self) -> None:
        """`close` for event loops; also closes the connections of the running one."""
        if self.classifier is None:
            await asynchronously(self._component, "close")
        if self._embedder is not None:
            await asyncio.to_thread(self._embedder.close)

    def _get_telemetry_data(self) -> dict[str, Any]:
        """What Haystack sends of it, where its telemetry is on: the model, if it is a published one."""
        return published(self.model or "")

    def _open(self) -> None:
        given, server = self.classifier, self._remote()
        if given is not None and (isinstance(given, type) or not isinstance(given, SupportsClassify)):
            raise ConfigError(f"classifier must have classify, such as a Classifier, got {given!r}.")
        if given is None:
            self.model = self.model or named(server, remote=REMOTE_EMBEDDER, here=DEFAULT_EMBEDDER)
        self._embedder = Embedder(self.model) if given is None and server is None and self.model else None
        if given is not None:
            self._component = given
        elif server is not None:
            self._component = RemoteClassifier(server, model=self.model)
        else:
            assert self._embedder is not None  # noqa: S101 (for the type checker)
            self._component = Classifier(self._embedder)

    def _classify(self, texts: list[str], labels: Given) -> Classifications:
        chosen = self.labels if labels is None else labels
        found: Classifications = self._component.classify(texts, chosen, show_progress=self.progress_bar)
        return found

    async def _aclassify(self, texts: list[str], labels: Given) -> Classifications:
        chosen = self.labels if labels is None else labels
        how = {"show_progress": self.progress_bar}
        found: Classifications = await asynchronously(self._component, "classify", texts, chosen, **how)
        return found


@component
class JinaTextClassifier(JinaClassifierComponent):
    """Gives a text one of the labels that it is told, or that a classifier has learned.

    With a key or a `base_url` a server classifies, else the model runs here.

    Args:
        labels: What to choose from: names that say what they mean, or by name a description; None for what a
            `classifier` has learned.
        model: The embedder that compares; None for `jina-embeddings-v3` on Jina's hosts, else the bundled one.
        api_key: Key of the server.
        base_url: The root of a server of `jina-components serve`; None, where there is a key, for Jina's.
        classifier: A `Classifier` of ours, trained or not, or another with its methods.
        timeout: Seconds for a request of a server.
        max_retries: Further attempts of a request of a server that failed for a reason that may pass.

    Raises:
        ConfigError: a classifier and settings of a server, or a setting that makes no sense.

    Example:
        >>> JinaTextClassifier(["sports", "politics"]).run("The match ended in a draw.")["label"]
        'sports'
    """

    def __init__(
        self,
        labels: list[str] | dict[str, str] | None = None,
        model: str | None = None,
        api_key: Secret | None = None,
        *,
        base_url: str | None = None,
        classifier: SupportsClassify | None = None,
        timeout: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        self.labels = labels
        self.model = model
        self.api_key = api_key
        self.base_url = base_url
        self.classifier = classifier
        self.timeout = timeout
        self.max_retries = max_retries
        self._open()

    @component.output_types(label=str | None, score=float, details=dict[str, float])
    def run(self, text: str, labels: list[str] | dict[str, str] | None = None) -> dict[str, Any]:
        """Classify a text.

        Args:
            text: The text.
            labels: What to choose from; None for the constructor's.

        Returns:
            `label`, which is None where the classifier abstains; `score`, its probability; and `details`, that of each
            label.

        Raises:
            InputError: a blank text, or fewer than two labels.
            ConfigError: no labels, and none learned.
        """
        return classification(self._classify([text], labels)[0])

    @component.output_types(label=str | None, score=float, details=dict[str, float])
    async def run_async(self, text: str, labels: list[str] | dict[str, str] | None = None) -> dict[str, Any]:
        """`run` without blocking the event loop."""
        return classification((await self._aclassify([text], labels))[0])


@component
class JinaDocumentClassifier(JinaClassifierComponent):
    """Puts into the `meta` of each document a `classification`: its `label`, the `score`, and `details` of all labels.

    With a key or a `base_url` a server classifies, else the model runs here.

    Args:
        labels: What to choose from: names that say what they mean, or by name a description; None for what a
            `classifier` has learned.
        model: The embedder that compares; None for `jina-embeddings-v3` on Jina's hosts, else the bundled one.
        api_key: Key of the server.
        classification_field: Field of `meta` that is classified; None for the content.
        progress_bar: Whether to draw a bar on stderr.
        base_url: The root of a server of `jina-components serve`; None, where there is a key, for Jina's.
        classifier: A `Classifier` of ours, trained or not, or another with its methods.
        timeout: Seconds for a request of a server.
        max_retries: Further attempts of a request of a server that failed for a reason that may pass.

    Raises:
        ConfigError: a classifier and settings of a server, or a setting that makes no sense.

    Example:
        >>> classifier = JinaDocumentClassifier(["sports", "politics"], progress_bar=False)
        >>> documents = classifier.run([Document(content="The match ended in a draw.")])["documents"]
        >>> documents[0].meta["classification"]["label"]
        'sports'
    """

    def __init__(
        self,
        labels: list[str] | dict[str, str] | None = None,
        model: str | None = None,
        api_key: Secret | None = None,
        classification_field: str | None = None,
        progress_bar: bool = True,
        *,
        base_url: str | None = None,
        classifier: SupportsClassify | None = None,
        timeout: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        self.labels = labels
        self.model = model
        self.api_key = api_key
        self.classification_field = classification_field
        self.progress_bar = progress_bar
        self.base_url = base_url
        self.classifier = classifier
        self.timeout = timeout
        self.max_retries = max_retries
        self._open()

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document], labels: list[str] | dict[str, str] | None = None) -> dict[str, Any]:
        """Classify documents.

        Args:
            documents: The documents.
            labels: What to choose from; None for the constructor's.

        Returns:
            `documents`, the same with their `classification` in `meta`.

        Raises:
            TypeError: no list of documents.
            InputError: a document without words, `.index` names it; or fewer than two labels.
            ConfigError: no labels, and none learned.
        """
        return _labelled(documents, self._classify(self._texts(documents), labels))

    @component.output_types(documents=list[Document])
    async def run_async(
        self, documents: list[Document], labels: list[str] | dict[str, str] | None = None
    ) -> dict[str, Any]:
        """`run` without blocking the event loop."""
        return _labelled(documents, await self._aclassify(self._texts(documents), labels))

    def _texts(self, documents: list[Document]) -> list[str]:
        check_documents(documents, self)
        if self.classification_field is None:
            return [each.content or "" for each in documents]
        return [str(each.meta.get(self.classification_field, "")) for each in documents]


def classification(found: Classification) -> dict[str, Any]:
    """The labels of one input."""
    return {"label": found.label, "score": found.score, "details": dict(found.scores)}


def _labelled(documents: list[Document], found: Classifications) -> dict[str, Any]:
    return {
        "documents": [
            replace(each, meta={**each.meta, "classification": classification(labels)})
            for each, labels in zip(documents, found, strict=True)
        ]
    }
