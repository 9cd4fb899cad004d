"""Where an embedder places inputs and labels, and how far apart it places texts that have nothing in common."""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jina_components.core.inputs import as_list, at_index, check_text_item
from jina_components.core.probe import PROBE
from jina_components.core.vectors import normalize
from jina_components.errors import BackendError, ConfigError, InputError
from jina_components.protocols import SupportsEmbed
from jina_components.types import Embeddings, Image, Usage

if TYPE_CHECKING:
    from jina_components.types import FloatArray

SLICE = 1024
"""Inputs that are embedded at a time, so that progress shows and a call can be cancelled."""

# Of many subjects and forms, none of them near another.
_NEUTRAL = (
    "The train to the coast leaves at half past nine.",
    "She planted tomatoes behind the garden shed.",
    "The committee approved the budget for next year.",
    "How do I reset my password?",
    "He scored twice in the second half of the match.",
    "The soup needs a little more salt.",
    "Scientists measured the temperature of the ocean floor.",
    "My flight was cancelled and nobody told us why.",
    "The painting was sold at auction for a record price.",
    "Please send me the invoice by Friday.",
    "A cold front will bring rain to the north.",
    "The film was far too long, but the music was lovely.",
    "Patients were given either the drug or a placebo.",
    "The company opened three new stores in the city.",
    "What is the capital of Mongolia?",
    "The court ruled that the contract was not valid.",
    "Our dog refuses to walk past the bakery.",
    "Install the package and restart the server.",
    "The castle was built in the twelfth century.",
    "Turn on the lights in the kitchen.",
    "Teachers went on strike over their pay.",
    "This phone is great value for the money.",
    "The river flooded several villages last spring.",
    "I would like to book a table for four.",
    "He learned to play the violin as a child.",
    "The engine makes a strange noise when it is cold.",
    "Voters go to the polls on Sunday.",
    "The recipe calls for two eggs and a cup of flour.",
    "Stars are born in clouds of gas and dust.",
    "The hotel room was dirty and the staff were rude.",
    "Remind me to call my sister tomorrow.",
    "The museum is closed on Mondays.",
)
# Below it vectors do not tell texts apart, and nothing can be calibrated.
_TINY = 1e-6


class Neutral(NamedTuple):
    """Texts that have nothing in common.

    Attributes:
        vectors: Unit vectors, float32, shape [texts, dimensions].
        spread: Standard deviation of the cosines of two of them.
    """

    vectors: FloatArray
    spread: float


class Space:
    """The vectors of an embedder: all of unit length and one width. Thread-safe.

    An embedder that has a method `embed` with a `task`, as `Embedder` does, is told that it is for classification, may
    take images, and tells its usage; any other places inputs and labels as documents.

    Raises:
        ConfigError: no embedder.
    """

    def __init__(self, embedder: SupportsEmbed) -> None:
        if isinstance(embedder, type) or not isinstance(embedder, SupportsEmbed):  # a class has the methods too
            raise ConfigError(f"embedder must have embed_query and embed_documents, got {embedder!r}.")
        self._embedder: Any = embedder
        self._takes_task = _takes_task(embedder)
        self._width: int | None = None
        self._neutral: Neutral | None = None
        self._probe: FloatArray | None = None
        self._measuring = threading.Lock()

    @property
    def name(self) -> str:
        """The embedder's name, or its type's."""
        return str(getattr(self._embedder, "name", type(self._embedder).__name__))

    def check(self, inputs: Sequence[str | Image], *, what: str = "inputs") -> None:
        """Refuse inputs that are no list of texts and images.

        Raises:
            InputError: no list, or an item that is blank or no text or, where the embedder takes them, image; `.index`
                names it.
        """
        for index, item in enumerate(as_list(inputs, what=what)):
            self.check_item(item, index, what=what)

    def check_item(self, item: object, index: int, *, what: str) -> None:
        """Refuse one input as `check` does."""
        if not isinstance(item, Image):
            check_text_item(item, index, what=what, images=self._takes_task)
        elif not self._takes_task:
            raise InputError(f"{what}[{index}] is an image, and {self._embedder!r} takes texts alone.", index)

    def embed(self, inputs: Sequence[str | Image], *, start: int = 0, what: str = "inputs") -> Embeddings:
        """Unit vectors, shape [len(inputs), dimensions], and what they cost.

        Args:
            inputs: Checked, and at least one.
            start: Where the first of them stands in the caller's list.
            what: Names that list in errors.

        Raises:
            InputError: one that the embedder refuses; `.index` names it.
            BackendError: it returned something else than finite vectors of the width that it had before.
        """
        try:
            if self._takes_task:
                embedded = self._embedder.embed(inputs, task="classification")
                vectors, usage = embedded.vectors, embedded.usage
            else:
                vectors, usage = self._embedder.embed_documents(inputs), Usage()
        except InputError as error:
            if error.index is None:
                raise
            raise _replaced(error, start + error.index, what) from error
        return Embeddings(self._unit(vectors, len(inputs)), usage)

    def neutral(self) -> tuple[Neutral, Usage]:
        """Where texts lie that have nothing in common, embedded once, and what that cost this time.

        Raises:
            BackendError: they all lie at one place.
        """
        with self._measuring:
            if self._neutral is not None:
                return self._neutral, Usage()
            embedded = self.embed(_NEUTRAL)
            cosines = embedded.vectors @ embedded.vectors.T
            spread = float(cosines[np.triu_indices(len(_NEUTRAL), 1)].std())
            if spread < _TINY:
                raise BackendError(f"{self._embedder!r} places all texts alike: nothing can be told by its vectors.")
            self._neutral = Neutral(embedded.vectors, spread)
            return self._neutral, embedded.usage

    def probe(self) -> FloatArray:
        """Where the embedder places the probe, by which it is known again."""
        with self._measuring:
            if self._probe is None:
                self._probe = self.embed([PROBE]).vectors[0]
            return self._probe

    def __repr__(self) -> str:
        return repr(self._embedder)

    def _unit(self, vectors: object, count: int) -> FloatArray:
        try:
            rows = np.asarray(vectors, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise BackendError(f"{self._embedder!r} returned no array of vectors: {error}.") from error
        if rows.ndim != 2 or len(rows) != count or not rows.size or not np.isfinite(rows).all():
            raise BackendError(f"{self._embedder!r} returned no {count} finite vectors, but shape {rows.shape}.")
        width = self._width or rows.shape[1]
        if rows.shape[1] != width:
            raise BackendError(
                f"{self._embedder!r} gave vectors of {width} dimensions before and now of {rows.shape[1]}: "
                "make a new classifier when the embedder changes."
            )
        self._width = width
        return normalize(rows)


def _takes_task(embedder: object) -> bool:
    method = getattr(embedder, "embed", None)
    try:
        return callable(method) and "task" in inspect.signature(method).parameters
    except ValueError:  # of some built-in functions Python does not know
        return False


def _replaced(error: InputError, index: int, what: str) -> InputError:
    """The embedder's error in the words of the classifier's caller."""
    message = error.message.replace("pass truncate=True", "make the embedder with truncate=True")
    own = re.match(r"\w+\[\d+\](?::? )", message)
    if own is None:
        return at_index(type(error)(message), index, what=what)
    return type(error)(f"{what}[{index}]{message[own.end() - 1 :]}", index)
