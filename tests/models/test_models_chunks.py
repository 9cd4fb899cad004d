"""Chunks that run once, and count for the texts that they are of."""

from __future__ import annotations

import numpy as np

from jina_components.errors import BackendError
from jina_components.models.chunks import best_rows, chunk_errors, count_tokens, distinct_chunks
from jina_components.models.runner import JobResult
from jina_components.models.sequences import TokenSequence

IDS = np.array([2, 7, 8, 3], np.int32)
PLAIN, FIRST, SECOND = (
    TokenSequence(IDS, None if types is None else np.array(types, np.int32))
    for types in (None, [0, 0, 1, 1], [0, 1, 1, 1])
)
CHUNKS = [[PLAIN, FIRST], [SECOND], [], [TokenSequence(IDS.copy(), FIRST.type_ids.copy())]]


def test_the_same_tokens_in_other_segments_are_another_chunk():
    distinct = distinct_chunks(CHUNKS)
    assert len(distinct) == 3
    assert next(iter(distinct.values())) is PLAIN
    assert count_tokens(distinct) == 12
    rows = np.array([0.1, 0.7, 0.4], np.float32)
    np.testing.assert_array_equal(best_rows(CHUNKS, distinct, rows), np.array([0.7, 0.4, np.nan, 0.7], np.float32))


def test_an_error_is_of_the_texts_with_that_chunk():
    error = BackendError("broken")
    result = JobResult(np.zeros((3, 1), np.float32), {1: error})
    assert chunk_errors(CHUNKS, distinct_chunks(CHUNKS), result) == {0: error, 3: error}
