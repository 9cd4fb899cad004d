"""Parts of a document too long to be scored in one pass.

They overlap, and the best one's score is the document's: MaxP of Dai & Callan 2019
(https://arxiv.org/abs/1905.09217), for whom the rest of a relevant document may be about anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Tokens that neighbours share, as in jina-reranker-v2, and the share of a part that they may be.
_OVERLAP, _MOST_OVERLAP = 80, 1 / 4


def split_ids(ids: NDArray[np.int32], room: int | None, *, truncate: bool) -> list[NDArray[np.int32]]:
    """Parts of `room` tokens that overlap and cover `ids`, or its head alone."""
    if not room or len(ids) <= room:
        return [ids] if len(ids) else []
    if truncate:
        return [ids[:room]]
    last = len(ids) - room
    step = room - min(_OVERLAP, int(room * _MOST_OVERLAP))
    return [ids[start : start + room] for start in (*range(0, last, step), last)]
