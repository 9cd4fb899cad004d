"""Listwise rerankers: a query and many documents in one pass, so that the documents see each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jina_components.core.vectors import normalize
from jina_components.models.chunks import Chunks, DistinctChunks, best_rows, chunk_errors, distinct_chunks
from jina_components.models.list_prompt import MOST_PASSAGES, ListPrompt
from jina_components.models.pending import Pending
from jina_components.models.runner import JobResult, ModelRunner
from jina_components.models.scoring import Limits, Scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray


class Block(NamedTuple):
    """What a pass gives.

    Attributes:
        documents: A vector a document, shape [documents, width].
        query: The query's vector in that pass, shape [width].
    """

    documents: FloatArray
    query: FloatArray


@dataclass(frozen=True, slots=True)
class Listwise:
    """Scores by the cosine of what one pass gives for the query and for each document (jina-reranker-v3).

    Documents that do not fit one pass run in blocks of up to 125, one after the other, and `merged_scores` makes their
    scores comparable. A document's score depends on those beside it in its block and on the order. Equal documents,
    or chunks, run once. When a block fails, its documents do.

    Attributes:
        prompt: Of the model.
        runner: Its owner thread.
        limits: Tokens kept; by default the published ones, with the rest of a document in further passages of which the
            best counts.
        block_tokens: That a block may have, if it is of more than one document.
    """

    prompt: ListPrompt
    runner: ModelRunner
    limits: Limits
    block_tokens: int

    def submit(self, query: str, texts: Sequence[str], *, truncate: bool) -> Pending[Scores]:
        """Tokenize here and now, and queue the rest."""
        question = self.prompt.query(query, max_length=self.limits.query, truncate=truncate)
        chunks = self.prompt.passages(texts, max_length=self.limits.document, truncate=truncate)
        distinct = distinct_chunks(chunks)
        passages = list(distinct.values())
        room = self.block_tokens - self.prompt.frame_tokens(question)
        blocks = split_blocks([len(passage) + self.prompt.passage_overhead for passage in passages], room)
        sequences = [self.prompt.sequence(question, passages[block.start : block.stop]) for block in blocks]
        finish = partial(self._finish, chunks, distinct, blocks, sum(map(len, sequences)))
        return Pending(self.runner.submit(sequences), finish)

    def _finish(
        self, chunks: Chunks, distinct: DistinctChunks, blocks: Sequence[range], tokens: int, result: JobResult
    ) -> Scores:
        ends = accumulate((len(block) + 1 for block in blocks), initial=0)
        found = [Block(result.rows[start : end - 1], result.rows[end - 1]) for start, end in pairwise(ends)]
        good = [number for number in range(len(blocks)) if number not in result.errors]
        scores = np.full(len(distinct), np.nan, np.float32)
        vectors = np.full((len(distinct), result.rows.shape[1]), np.nan, np.float32)
        for number, own in zip(good, merged_scores([found[number] for number in good]), strict=True):
            scores[blocks[number].start : blocks[number].stop] = own
            vectors[blocks[number].start : blocks[number].stop] = normalize(found[number].documents)
        failed = {place: error for number, error in result.errors.items() for place in blocks[number]}
        errors = chunk_errors(chunks, distinct, JobResult(scores[:, None], failed))
        raw = best_rows(chunks, distinct, scores)
        raw[[*errors]] = np.nan
        return Scores(raw, tokens, errors, best_rows(chunks, distinct, vectors, by=scores))

    def scale(self, raw: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """As they are, -1 to 1."""
        return raw

    def close(self) -> None:
        """Nothing is held but memory, which goes with the object."""


def split_blocks(lengths: Sequence[int], room: int) -> list[range]:
    """Neighbours together: up to `MOST_PASSAGES`, and as many as fit the room, but one at least."""
    blocks: list[range] = []
    start = used = 0
    for place, length in enumerate(lengths):
        if place > start and (place - start == MOST_PASSAGES or used + length > room):
            blocks.append(range(start, place))
            start, used = place, 0
        used += length
    return [*blocks, range(start, len(lengths))] if lengths else []


def merged_scores(blocks: Sequence[Block]) -> list[FloatArray]:
    """Scores of each block's documents that compare with those of the others, within -1 and 1.

    They are cosines with one vector of the query: the mean of the blocks', each weighted by the best (1 + cosine) / 2
    in its block, so that passes that saw what is asked for count most (jina-reranker-v3, modeling.py).
    """
    if not blocks:
        return []
    documents = [normalize(block.documents) for block in blocks]
    best = [float((own @ normalize(block.query)).max()) for own, block in zip(documents, blocks, strict=True)]
    weights = np.maximum((1 + np.array(best, np.float64)) / 2, 1e-9)  # a sum of 0 would have no mean
    query = normalize(np.average([block.query for block in blocks], axis=0, weights=weights))
    return [np.asarray(own @ query, np.float32) for own in documents]
