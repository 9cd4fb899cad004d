"""What `check_store` puts into a store and asks of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.core.vectors import normalize
from jina_components.filters import And, Condition, Field, Filter, Not, Operator, Or
from jina_components.protocols import RankingKind, Store
from jina_components.types import Document

if TYPE_CHECKING:
    from jina_components.types import FloatArray

WIDTH, TOKEN_WIDTH = 16, 8
# Of no language, so that an engine's analysis changes nothing in them.
WORDS = (
    "kavo", "lumi", "zent", "morag", "pild", "quon", "rabat", "tefo", "vuna", "wexo", "yolm", "brak", "dulp", "frono",
    "gint", "hozam", "jarp", "nelu", "okto", "smir",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Documents with all that a store may rank them by.

    Attributes:
        documents: The documents.
        vectors: Unit vectors, shape [len(documents), WIDTH].
        token_vectors: Unit vectors of the tokens of each, shape [tokens, TOKEN_WIDTH].
    """

    documents: Sequence[Document]
    vectors: FloatArray
    token_vectors: Sequence[FloatArray]

    def put_into(self, store: Store) -> None:
        """Put them, with what the store ranks by."""
        store.put(
            self.documents,
            self.vectors if "dense" in store.rankings else None,
            self.token_vectors if "multi_vector" in store.rankings else None,
        )

    def __getitem__(self, part: slice) -> Sample:
        return Sample(self.documents[part], self.vectors[part], self.token_vectors[part])


def with_vectors(documents: Sequence[Document], *, seed: int = 1) -> Sample:
    """Documents with random vectors."""
    random = np.random.default_rng(seed)
    tokens = [unit_vectors(random, int(random.integers(1, 6)), TOKEN_WIDTH) for _ in documents]
    return Sample(documents, unit_vectors(random, len(documents), WIDTH), tokens)


def random_sample(number: int, *, seed: int = 1, prefix: str = "random") -> Sample:
    """Documents of random words and lengths."""
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(WORDS, int(random.integers(1, 30)))) for _ in range(number)]
    return with_vectors(
        [Document(text, f"{prefix}-{n}", {"n": n, "half": n % 2 == 0}) for n, text in enumerate(texts)], seed=seed
    )


def unit_vectors(random: np.random.Generator, number: int, width: int) -> FloatArray:
    """Random directions, shape [number, width]."""
    return normalize(random.standard_normal((number, width)).astype(np.float32))


def queries(kind: RankingKind) -> Any:  # noqa: ANN401 (as the search of the kind takes them)
    """What to ask for, in a ranking's own terms."""
    random = np.random.default_rng(99)
    if kind == "dense":
        return unit_vectors(random, 3, WIDTH)
    if kind == "multi_vector":
        return [unit_vectors(random, number, TOKEN_WIDTH) for number in (4, 1)]
    return ["kavo lumi", "zent zent morag unheard", WORDS[5], "unheard", ""]


AWKWARD_TEXTS = (
    "plain", "", " ", "it's \"quoted\" and `ticked`", "line\nbreak\r\nand\ttab", "🌧️ 東京 Größe עברית",
    "'; DROP TABLE documents; --", "back\\slash %s {} $1 :name ?", "nul \0 inside", "long " * 200_000,
)  # fmt: skip
AWKWARD_IDS = (
    "id", "'; DROP TABLE documents; --", '"quoted"', "a b\tc\nd", "Größe-東京-🌧️", "e\u0301", "\u00e9", "x" * 300,
    "%_\\", "id == 1 or true",
)  # fmt: skip
AWKWARD_METADATA: tuple[dict[str, Any], ...] = (
    {},
    {"float": 0.1, "whole": 1.0, "int": 1, "tiny": 5e-324, "big": 1.7e308, "minus": -0.0},
    {"beyond": 2**53 + 1, "far": 2**64 + 1},
    {"none": None, "yes": True, "no": False, "empty": [], "void": {}},
    {"nested": {"deep": {"deeper": [1, [2, {"x": None}], "three"]}}},
    {"": "no name", "a.b": 1, "$a": 2, "'; DROP": 3},
    {"text": 'it\'s "quoted" \\ \n \0 🌧️'},
    {"id": "other", "text": "other", "metadata": {"id": 1}, "vector": [1.0]},
    {"published": "2024-05-01T12:00:00+02:00"},
    {"Größe": "groß", "東京": ["日本", 1]},
)

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, 1.0, -1, 1.5, 2, 2**53, 2**53 + 1, -(2**60) - 1, 1e300,
    "", "1", "true", "null", "x", "X", "it's", "雨 🌧️",
    "2024", "2024-05-01", "2024-05-01T00:00:00Z", "2024-05-01 02:00:00.000+02:00", "2024-05-01T00:00:00.5Z",
    "2024-04-30T23:59", "2024-02-30", "1969-12-31",
    [], [1, "x", None], [1.5, 2], [[1], {"a": 1}], ["2024-05-01", 7],
    {}, {"b": 1}, {"b": {"c": "x"}}, {"b": [True, 2]}, {"c": None},
)  # fmt: skip
_OTHERS: tuple[dict[str, Any], ...] = ({}, {"a.b": 1}, {"b": 1}, {"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"A": 1})
FILTERED = tuple(
    Document(f"kavo {WORDS[number % len(WORDS)]}", f"value-{number}", metadata)
    for number, metadata in enumerate((*({"a": value} for value in _VALUES), *_OTHERS))
)
"""Documents for `FILTERS`: one for each kind of value, and fields of similar names."""

_A, _B = Field("a"), Field("b")
_DAY = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
_WANTED = (
    None, True, False, 0, 1, 1.0, 1.5, 2**53, 2**53 + 1, 1e300,
    "", "1", "true", "x", "it's", "雨 🌧️", "2024-05-01", _DAY,
)  # fmt: skip
_BOUNDS = (0, 1, 1.25, 2**53, 2**53 + 1, -(2**60), 1e300, 10**400, _DAY, dt.date(1970, 1, 1))
_ORDERS: tuple[Operator, ...] = ("lt", "lte", "gt", "gte")
_CONDITIONS: tuple[Filter, ...] = (
    *(Condition(("a",), "eq", (wanted,)) for wanted in _WANTED),
    *(Condition(("a",), order, (bound,)) for order in _ORDERS for bound in _BOUNDS),
    _A.is_in([]), _A.is_in([1, "x"]), _A.is_in([None, True, _DAY]), _A.is_in(range(200)),
    _A.exists(), Field("a.b").exists(), Field("A").exists(), Field("none").exists(),
    Field("a.b") == 1, Field("a.b.c") == "x", Field("a.b") > 1, Field(r"a\.b") == 1,
    Field("'; DROP TABLE documents; --") == "'; DROP TABLE documents; --",
)  # fmt: skip
FILTERS: tuple[Filter, ...] = (
    *_CONDITIONS,
    *(Not(condition) for condition in _CONDITIONS),
    And(()), Or(()), Not(And(())), Not(Or(())),
    (_A > 0) & (_A < 2), (_A == 1) | (_B == "y"), ~((_A == 1) & (_B == "x")), (_A == 1) & ~(_B == "x"),
    Or((And((_A == 1, _B == "x")), And((_A == 2, Not(_B == "x"))), Not(Or((_A.exists(), _B.exists()))))),
    ~(~(_A < 2) | ~(_A >= 1)) & (_A != "x"),
)  # fmt: skip
"""Every operator with every kind of value, and each turned round."""
