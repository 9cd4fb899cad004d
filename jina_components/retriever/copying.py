"""Documents with their vectors from one store into another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from jina_components.core.progress import progress_bar
from jina_components.errors import ConfigError
from jina_components.protocols import Key, Store
from jina_components.retriever.encoding import copy_notes, has_no_token_vectors
from jina_components.types import Document

if TYPE_CHECKING:
    from jina_components.types import FloatArray

_SLICE = 1000


@runtime_checkable
class SupportsTokenVectors(Protocol):
    """A store that gives the vectors of tokens back."""

    def get_token_vectors(self, keys: Sequence[Key]) -> list[FloatArray]:
        """Of each document, shape [its tokens, dimensions]; no rows for one deleted since."""
        ...


def copy_store(source: Store, target: Store, *, show_progress: bool) -> int:
    """Copy all documents, a thousand at a time, so that neither store has to hold all in memory; how many they were.

    Interrupted, it can be run again: documents of the same id are replaced. Documents of the target that the source
    does not have stay.

    Raises:
        ConfigError: the source cannot give its vectors back.
        IndexMismatchError: the target holds vectors of other models.
    """
    both = source.rankings & target.rankings
    if "multi_vector" in both and not isinstance(source, SupportsTokenVectors) and not has_no_token_vectors(source):
        raise ConfigError(f"{source!r} does not give vectors of tokens back: add the documents to the other store.")
    copy_notes(source, target)
    count, documents = 0, source.scan()
    with progress_bar("Copying", unit="document", total=source.count(), show=show_progress) as bar:
        while part := list(islice(documents, _SLICE)):
            count += _copy(part, source.keys_of([document.id for document in part]), source, target)
            bar.update(len(part))
    return count


def _copy(documents: Sequence[Document], found: Sequence[Key | None], source: Store, target: Store) -> int:
    held = [(document, key) for document, key in zip(documents, found, strict=True) if key is not None]
    if not held:  # deleted since
        return 0
    keys = [key for _, key in held]
    vectors = source.get_vectors(keys)
    tokens = None
    if "multi_vector" in source.rankings & target.rankings and isinstance(source, SupportsTokenVectors):
        tokens = source.get_token_vectors(keys)
    target.put([document for document, _ in held], vectors if vectors.shape[1] else None, tokens)
    return len(held)
