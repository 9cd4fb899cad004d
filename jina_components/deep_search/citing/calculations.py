"""Which calculations may support a sentence: those whose numbers stand in the sources, or in what the user said."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from jina_components.deep_search.citing.figures import Number, Shown, find_numbers

# Of time, angles, units and shares; a calculation may use them, but not rest on them alone.
_CONSTANTS = frozenset(
    (*map(float, range(13)), 0.5, 24.0, 30.0, 31.0, 52.0, 60.0, 90.0, 100.0, 180.0, 360.0, 365.0, 365.25, 366.0,
     1000.0, 1024.0, 3600.0, 1e6, 1e9)
)  # fmt: skip
# 19% is written 0.19, and 3.1 million 3.1 * 10**6.
_SHARES, _SCALES = (1.0, 100.0), (1.0, 1e3, 1e6, 1e9)


class Calculation(NamedTuple):
    """A calculation that rests on known numbers: its results, and those of its numbers that are no constants."""

    results: tuple[Number, ...]
    inputs: tuple[Number, ...]


def founded(calculations: Sequence[tuple[str, str]], known: Sequence[Shown]) -> list[Calculation]:
    """Of calculations (code and result, in order) those whose every number is known, constant or such a result.

    Args:
        calculations: What a chat model had calculated.
        known: What the sources and the user say.
    """
    kept: list[Calculation] = []
    for code, result in calculations:
        numbers = list(_literals(code))
        inputs = [one for one in numbers if any(shown.has_number(one) for shown in known)]
        earlier = [one for one in kept if any(_is_of(number, one) for number in numbers)]
        others = [one for one in numbers if one not in inputs and not any(_is_of(one, other) for other in earlier)]
        if (inputs or earlier) and all(one.values[0] in _CONSTANTS for one in others):
            inputs += [number for one in earlier for number in one.inputs]
            telling = [one for one in inputs if one.values[0] not in _CONSTANTS] or inputs
            kept.append(Calculation(tuple(find_numbers(result)), tuple(dict.fromkeys(telling))))
    return kept


def _is_of(number: Number, calculation: Calculation) -> bool:
    """Whether a number is a result of a calculation."""
    return any(number.values[0] in result.values for result in calculation.results)


def _literals(code: str) -> Iterator[Number]:
    """The numbers that are written in code, in its texts too."""
    try:
        nodes = list(ast.walk(ast.parse(code.strip())))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # fenced, or no Python: as prose
        yield from find_numbers(code)
        return
    for node in nodes:
        if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
            continue
        if isinstance(node.value, int | float):
            value = float(node.value)
            yield Number(tuple(value * scale for scale in (_SHARES if value < 1 else _SCALES)), written=str(node.value))
        elif isinstance(node.value, str):
            yield from find_numbers(node.value)
