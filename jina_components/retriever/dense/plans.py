"""Which index for how many vectors: a table, chosen by measurement.

Measured on the vectors of `benchmarks/speed/retriever.py`, 256 dimensions of the bundled static model over real texts,
with questions as queries: CPU microseconds for one query on one thread of a shared AMD EPYC core, best of three, and
recall@10 after exact rescoring.

    100,000 vectors                        bytes/vector   build, CPU-s   µs (recall)
    exact, no index                                   0              0   7,800 (1.0)
    product codes, 1 bit a dimension                 32            0.8   186 (.969), 225 (.989)  100, 200 candidates
    product codes, 2 bits a dimension                64            1.3   269 (.997)               50 candidates
    sign bits, Hamming distance                      32              0   183 (.826), 437 (.957)  100, 800 candidates
    the same, centred and rotated at random          32              0   189 (.884), 509 (.968)  100, 400 candidates
    RaBitQ                                           40            0.3   1,137 (.969)            100 candidates
    graph over float32, 32 links, effort 40       1,296             23   444 (.956), 809 (.976)
    graph over float32, 32 links, effort 100      1,296             50   380 (.961)
    graph over int8, 32 links, effort 40            528             12   268 (.957), 462 (.976)
    graph over int8, 32 links, effort 100           528             25   196 (.965), 311 (.981)
    graph over int8, 16 links, effort 100           400             25   209 (.963), 369 (.984)
    1,024 lists of float32, 128 probed            1,043              4   860 (.944)
    1,024 lists of product codes, 128 probed         93              6   280 (.943)

    1,000,000 vectors
    product codes, 1 bit a dimension                 32            3.9   1,788 (.988)             150 candidates
    1,024 lists of them, 160 probed                  41             13   713 (.958)               200 candidates
    512 lists, 96 probed                             41              8   752 (.954)               300 candidates
    2,048 lists, 256 probed                          42             26   885 (.955)               300 candidates
    1,024 lists of 2 bits, 128 probed                73             20   863 (.954)               100 candidates
    graph over int8, 24 links, effort 100           464            438   537 (.953), 633 (.963), 735 (.972)

So up to some hundred thousand vectors a scan of one bit a dimension is faster than any graph, and built thirty times
sooner; its recall does not depend on how the vectors lie or on what a filter lets through. Beyond, its time grows with
their number. A graph is then up to a third faster than lists of the codes, but takes thirty times as long to build and
ten times the memory. So `auto` is `binary`; who builds seldom and searches often takes `int8`.
With 384 dimensions of all-MiniLM-L6-v2 (20,000 vectors) all of them find more: the scan .998 in 129 µs, the graph .996.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from jina_components.errors import ConfigError

Storage: TypeAlias = Literal["float32", "int8", "binary", "auto"]
"""What an index keeps of a vector: all, a byte a dimension, or product codes of one bit a dimension (`binary`, which
are not its signs: those of `StorageType` keep less); or what is best for their number."""


@dataclass(frozen=True)
class Exact:
    """No index: every vector is compared."""


@dataclass(frozen=True)
class Scan:
    """Product codes of 4 bits for 4 dimensions, all scanned; `candidates` are rescored.

    Product quantization of Jégou et al. 2011, scanned in registers as by André et al. 2015 (FAISS' `PQ…x4fs`).
    """

    candidates: int


@dataclass(frozen=True)
class Lists:
    """The same codes in `lists` by nearest centroid, of which a search scans `probes`; `candidates` are rescored."""

    lists: int
    probes: int
    candidates: int


@dataclass(frozen=True)
class Graph:
    """HNSW (Malkov and Yashunin 2016) over vectors of `codes`; a search keeps `effort` nodes, and rescores them.

    Attributes:
        codes: float32, or int8: one scale for all, so that distances are of whole numbers.
        links: Edges of a node in the upper layers; twice as many in the lowest.
        build_effort: Nodes that are kept while the place of a new one is sought.
        effort: Nodes that a search keeps.
    """

    codes: Literal["float32", "int8"]
    links: int
    build_effort: int
    effort: int


Plan: TypeAlias = Exact | Scan | Lists | Graph

_SCAN = Scan(candidates=150)
_LISTS = Lists(lists=1024, probes=160, candidates=200)
_INT8 = Graph("int8", links=24, build_effort=100, effort=128)
_INT8_MANY = Graph("int8", links=24, build_effort=100, effort=192)
_FLOAT32 = Graph("float32", links=24, build_effort=100, effort=128)
_FLOAT32_MANY = Graph("float32", links=24, build_effort=100, effort=192)
_MANY = 400_000
# Below this an exact comparison takes no more than 130 to 180 µs, and an index would hardly be faster.
_FEW = 10_000

_BINARY: tuple[tuple[int, Plan], ...] = ((0, Exact()), (_FEW, _SCAN), (_MANY, _LISTS))
PLANS: MappingProxyType[Storage, tuple[tuple[int, Plan], ...]] = MappingProxyType(
    {
        "auto": _BINARY,
        "float32": ((0, Exact()), (_FEW, _FLOAT32), (_MANY, _FLOAT32_MANY)),
        "int8": ((0, Exact()), (_FEW, _INT8), (_MANY, _INT8_MANY)),
        "binary": _BINARY,
    }
)
"""By storage: from how many vectors on which plan holds, ascending."""


def plan_for(storage: Storage, slots: int) -> Plan:
    """The plan for a number of vectors.

    Raises:
        ConfigError: there is no such storage.
    """
    if storage not in PLANS:
        raise ConfigError(f"There is no storage {storage!r} of vectors; take one of {', '.join(get_args(Storage))}.")
    steps = PLANS[storage]
    return steps[bisect_right(steps, slots, key=lambda step: step[0]) - 1][1]


# Comparing an allowed vector costs 0.02 µs where they lie close and 0.1 µs where they do not; so up to these numbers
# it is no slower than a search of the index that has to pass over the others.
_FEW_ALLOWED, _FEW_SHARE = 10_000, 0.03


def few_allowed(slots: int) -> int:
    """Up to how many allowed slots are compared exactly, and not sought in the index."""
    return max(_FEW_ALLOWED, int(slots * _FEW_SHARE))
