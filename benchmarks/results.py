"""What a row of the table comes to: ours and its peers on the same input, and how far apart they are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Scores = Mapping[str, Mapping[str, NDArray[Any]]]  # by set and system: an item a row

Kind = Literal["quality", "speed", "memory"]
Verdict = Literal["better", "level", "worse"]
EVEN: Mapping[Kind, float] = {"quality": 0.0, "speed": 1.0, "memory": 1.0}
"""The gap of two that are alike: qualities are subtracted, speeds and sizes divided."""
DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer, and how far ours is from it; above `EVEN` ours is better.

    Attributes:
        value: What it reached.
        gap: Ours minus its (quality), or how many times its (speed, memory).
        low, high: Where the gap lies: a 95 % interval (quality), or the least and the most of all rounds.
    """

    value: float
    gap: float
    low: float
    high: float

    def verdict(self, kind: Kind) -> Verdict:
        """What the whole interval says of ours."""
        return "better" if self.low > EVEN[kind] else "worse" if self.high < EVEN[kind] else "level"


@dataclass(frozen=True, slots=True)
class Result:
    """What a row came to.

    Attributes:
        ours: What ours reached; higher is better, but for memory.
        peers: By name.
        count: Items (quality) or rounds (speed, memory) that were measured.
        parts: What each system reached on each set, by set and system.
    """

    ours: float
    peers: Mapping[str, Peer]
    count: int
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def paired(
    scores: Scores,
    ours: str,
    *,
    statistic: Callable[[NDArray[Any]], Any] = np.mean,
    variants: Collection[str] = (),
    seed: int = 0,
) -> Result:
    """Means over sets, and of each difference the 95 % interval of a paired bootstrap over the items of each set.

    Items are drawn as if they were independent: where several share a document, intervals are a little too narrow.

    Args:
        scores: Of each system on the same items; a row of an array is an item.
        ours: The system that is ours.
        statistic: A set's number from its rows.
        variants: Systems that are no peers but ours in other settings: they are among the parts alone.
        seed: Of the draws.
    """
    scores = {name: {system: np.asarray(rows) for system, rows in part.items()} for name, part in scores.items()}
    systems = list(next(iter(scores.values())))
    parts = {name: {system: float(statistic(rows[system])) for system in systems} for name, rows in scores.items()}
    values = {system: float(np.mean([part[system] for part in parts.values()])) for system in systems}
    random = np.random.default_rng(seed)
    drawn = np.zeros((DRAWS, len(systems)))
    for part in scores.values():
        size = len(part[ours])
        chosen = random.integers(0, size, (DRAWS, size))
        drawn += np.stack([_drawn(part[system], chosen, statistic) for system in systems], axis=1) / len(scores)
    gaps = drawn[:, [systems.index(ours)]] - drawn
    peers = {}
    for column, system in enumerate(systems):
        if system != ours and system not in variants:
            low, high = np.nanquantile(gaps[:, column], [0.025, 0.975])
            peers[system] = Peer(values[system], values[ours] - values[system], float(low), float(high))
    count = sum(len(part[ours]) for part in scores.values())
    return Result(values[ours], peers, count, parts if len(parts) > 1 or variants else {})


def _drawn(rows: NDArray[Any], chosen: NDArray[Any], statistic: Callable[[NDArray[Any]], Any]) -> NDArray[Any]:
    """The statistic of each draw; means all at once."""
    if statistic is np.mean:
        return np.asarray(rows[chosen].mean(axis=1))
    return np.array([statistic(rows[one]) for one in chosen])


def raced(rates: Mapping[str, Sequence[float]], ours: str, *, less_is_better: bool = False) -> Result:
    """Medians, and of each ratio the median, the least and the most of all rounds.

    Args:
        rates: Of each system, a number a round, in the order of the rounds.
        ours: The system that is ours.
        less_is_better: Whether these are seconds or bytes, whose ratio is the other way round.
    """
    peers = {}
    for system, found in rates.items():
        if system != ours:
            ratios = np.asarray(rates[ours], float) / np.asarray(found, float)
            ratios = 1 / ratios if less_is_better else ratios
            gap, low, high = (float(value) for value in (np.median(ratios), ratios.min(), ratios.max()))
            peers[system] = Peer(float(np.median(found)), gap, low, high)
    return Result(float(np.median(rates[ours])), peers, len(rates[ours]))
