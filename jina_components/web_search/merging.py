"""Several rankings of results into one, each page once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from jina_components.core.canonical import canonical_url
from jina_components.search_options import SearchOptions
from jina_components.types import SearchResult

# As in Cormack, Clarke & Büttcher 2009. Providers agree on little: a page that two of them find is the better one.
_FUSION_K = 60
_FILLED = tuple(option.name for option in fields(SearchResult) if option.name not in ("url", "providers"))


def merge(rankings: Sequence[Sequence[SearchResult]], options: SearchOptions) -> tuple[SearchResult, ...]:
    """The `options.count` best results by the sum of reciprocal ranks; equal ones in order of appearance.

    Results of one page (the same canonical URL, or of images the same image) become one: its fields are those of the
    first that has them, its `providers` all that found it.
    """
    merged: dict[str, SearchResult] = {}
    scores: dict[str, float] = {}
    for ranking in rankings:
        seen: set[str] = set()
        for rank, result in enumerate(ranking, 1):
            key = canonical_url((options.kind == "images" and result.image_url) or result.url)
            merged[key] = _together(merged[key], result) if key in merged else result
            if key not in seen:
                scores[key] = scores.get(key, 0.0) + 1 / (_FUSION_K + rank)
            seen.add(key)
    best = sorted(merged, key=lambda key: -scores[key])
    return tuple(merged[key] for key in best[: options.count])


def _together(first: SearchResult, other: SearchResult) -> SearchResult:
    changes: dict[str, Any] = {
        name: getattr(other, name) for name in _FILLED if not getattr(first, name) and getattr(other, name)
    }
    changes["providers"] = tuple(dict.fromkeys((*first.providers, *other.providers)))
    return replace(first, **changes)
