"""What a retrieval was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from jina_components.core.inputs import check_count, is_finite_number
from jina_components.core.names import resolve_name
from jina_components.errors import ConfigError, InputError
from jina_components.filters import Filter
from jina_components.protocols import RankingKind
from jina_components.retriever.parents import Parents

Mode: TypeAlias = Literal["hybrid", "dense", "lexical", "multi_vector"]

_MODES = ("hybrid", "dense", "lexical", "multi_vector")
# What a ranking needs, said to one who lacks it.
_NEEDS: dict[RankingKind, str] = {
    "dense": "an embedder and a store that ranks by vectors",
    "lexical": "a store that ranks by words",
    "multi_vector": "a multi-vector model (multi_vector=) and a store that ranks by late interaction",
}


@dataclass(frozen=True, slots=True)
class Request:
    """The options of `Retriever.retrieve`, checked; attributes as there.

    Raises:
        InputError: a bad limit or threshold.
        UnknownNameError: unknown mode.
    """

    top_k: int
    filter: Filter | None
    mode: Mode | None
    rerank: bool | None
    min_score: float | None
    diversity: float
    parents: Parents | None
    late_chunking: bool

    def __post_init__(self) -> None:
        check_count(self.top_k, what="top_k")
        if self.mode is not None:
            resolve_name(dict.fromkeys(_MODES), self.mode, what="mode")
        if self.min_score is not None and not is_finite_number(self.min_score):
            raise InputError(f"min_score must be a number, got {self.min_score!r}.")
        if not is_finite_number(self.diversity) or not 0 <= self.diversity <= 1:
            raise InputError(f"diversity must be within 0 and 1, got {self.diversity!r}.")
        if self.parents is not None and not isinstance(self.parents, Parents):
            raise InputError(f"parents must be a Parents or None, got {type(self.parents).__name__}: pass Parents().")

    def kinds(self, available: frozenset[RankingKind]) -> list[RankingKind]:
        """The rankings that the mode stands for, of those that the parts of the retriever allow.

        Raises:
            ConfigError: there is none of the kind; says what is missing.
        """
        if self.mode is None or self.mode == "hybrid":
            if len(available) < (1 if self.mode is None else 2):
                missing = "; ".join(f"{kind} needs {need}" for kind, need in _NEEDS.items() if kind not in available)
                wanted = "a ranking" if self.mode is None else "several rankings for mode='hybrid'"
                raise ConfigError(f"Retrieving takes {wanted}, this retriever has {sorted(available)}: {missing}.")
            return sorted(available)
        if self.mode not in available:
            raise ConfigError(f"mode={self.mode!r} needs {_NEEDS[self.mode]}; this retriever has {sorted(available)}.")
        return [self.mode]
