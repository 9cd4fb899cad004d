"""Where the topic of a text changes, as an embedder sees it."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from jina_components.core import boundaries as at
from jina_components.errors import InputError
from jina_components.protocols import SupportsEmbed
from jina_components.segmenter.structure import blocks

if TYPE_CHECKING:
    from jina_components.types import FloatArray

# Sentences on either side of a place that are compared.
_WINDOW = 2
# What the sharpest change of topic is worth, as a share of the chunk. By measurement: more finds more borders in text
# without paragraphs, but takes recall from text that has them.
_MOST_WORTH = 0.5
# A shorter sentence says too little for a vector of its own: it goes with what follows.
_SHORTEST = 24
# Of a longer one (a table, code) the beginning tells the topic, and fits every embedder.
_LONGEST = 400
_SURROGATE = re.compile("[\ud800-\udfff]")


def topic_changes(text: str, embedder: SupportsEmbed) -> dict[int, float]:
    """How sharply the topic changes at the beginnings of blocks and sentences where it does: 0 to 0.5.

    Each sentence is embedded once. The mean vectors of the two sentences on either side of a place are compared, a
    cheaper form of the windows of Kamradt's semantic chunking ("5 levels of text splitting", 2023); a change is as
    sharp as the similarity is lower there than at the nearest peaks to the left and the right, which is the depth
    score of TextTiling (Hearst 1997, Computational Linguistics 23:1), in standard deviations of the text's own.

    Raises:
        InputError: the embedder gives vectors of the wrong shape, or refuses a text.
    """
    starts = _starts(text)
    if len(starts) < 3:
        return {}
    ends = (min(end, start + _LONGEST) for start, end in pairwise([*starts, len(text)]))
    parts = [_SURROGATE.sub("\ufffd", text[start:end]) for start, end in zip(starts, ends, strict=True)]
    vectors = np.asarray(embedder.embed_documents(parts), np.float32)
    if vectors.ndim != 2 or len(vectors) != len(parts):
        shape = f"({len(parts)}, dimensions)"
        raise InputError(f"embedder gave vectors of shape {vectors.shape} for {len(parts)} texts, not {shape}.")
    depths = _depths(_similarities(vectors, np.array([len(part) for part in parts], np.float32)))
    worths = _MOST_WORTH * np.clip((depths - depths.mean()) / (2 * depths.std() + 1e-6), 0, 1)
    return {start: float(worth) for start, worth in zip(starts[1:], worths, strict=True) if worth > 0}


def _starts(text: str) -> list[int]:
    """Beginnings of blocks, and of sentences in running text, that leave something to embed between them."""
    places: list[int] = []
    block = None
    for following in blocks(text):
        if block:
            _add_sentences(places, text, block.start, max(block.keep, block.end), following.start)
        block = following
    if block:
        _add_sentences(places, text, block.start, max(block.keep, block.end), len(text))
    if places and not text[places[-1] :].strip():
        places.pop()
    return places


def _add_sentences(places: list[int], text: str, start: int, inside: int, end: int) -> None:
    for place in (start, *at.sentences(text, max(inside, start), end)):
        if place == end:
            continue
        if not places or len(text[places[-1] : place].strip()) >= _SHORTEST:
            places.append(place)


def _similarities(vectors: FloatArray, lengths: FloatArray) -> FloatArray:
    """Cosines of what is before and behind each place between two sentences, shape [len(vectors) - 1]."""
    sums = np.cumsum(np.vstack([np.zeros_like(vectors[:1]), vectors * lengths[:, None]]), axis=0, dtype=np.float64)
    places = np.arange(1, len(vectors))
    before = sums[places] - sums[np.maximum(places - _WINDOW, 0)]
    behind = sums[np.minimum(places + _WINDOW, len(vectors))] - sums[places]
    norms = np.linalg.norm(before, axis=1) * np.linalg.norm(behind, axis=1)
    cosines: FloatArray = ((before * behind).sum(axis=1) / np.maximum(norms, 1e-9)).astype(np.float32)
    return cosines


def _depths(similarities: FloatArray) -> FloatArray:
    return _climbs(similarities) + _climbs(similarities[::-1])[::-1]


def _climbs(similarities: FloatArray) -> FloatArray:
    """How far each lies below the peak that is reached by going left as long as it does not go down."""
    peaks = similarities.copy()
    for index in range(1, len(peaks)):
        if similarities[index - 1] >= similarities[index]:
            peaks[index] = peaks[index - 1]
    return peaks - similarities
