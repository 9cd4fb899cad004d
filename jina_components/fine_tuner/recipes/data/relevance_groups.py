"""Groups of a query, a passage that answers it and hard negatives, with the teacher's cosine for each."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jina_components.embedder import Embedder
from jina_components.errors import ConfigError
from jina_components.fine_tuner.metrics import NONE
from jina_components.fine_tuner.rankings import rank_by_cosine, rank_by_words
from jina_components.fine_tuner.recipes.data.relevance_texts import Corpus
from jina_components.fine_tuner.recipes.data.sources import Source
from jina_components.fine_tuner.sampling import place

if TYPE_CHECKING:
    from jina_components.types import FloatArray

log = logging.getLogger(__name__)

# Negatives of a group by how they are found, and how deep either ranking is searched for them.
_BY_WORDS, _BY_MEANING, _DEPTH = 2, 2, 30
_MINER = "static-minilm-v1"
_APART = 0.05  # share of the groups


@dataclass(frozen=True, slots=True)
class Group:
    """A query and passages, the first of which answers it.

    Attributes:
        source: Name of the source.
        id: Of the query there.
        query: The query.
        passages: The answer, then negatives.
        cosines: Of the teacher's vectors of the query and each passage.
    """

    source: str
    id: str
    query: str
    passages: list[str]
    cosines: list[float]


def make_groups(data: Path, sources: Sequence[Source[Corpus]], teacher: str, work: Path, seed: int) -> list[Group]:
    """The groups of all sources, kept in `work/groups.jsonl`, where a later run finds them.

    Raises:
        ConfigError: a file of a source is missing, or the groups in `work` were made with other settings.
    """
    path, settings = work / "groups.jsonl", [[[row.name, row.limit] for row in sources], Path(teacher).name, seed]
    if not path.is_file():
        work.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        with draft.open("w", encoding="utf-8") as lines:
            lines.write(json.dumps(settings) + "\n")
            for source in sources:
                for group in _groups(source, data, teacher, work, seed):
                    lines.write(json.dumps([group.source, group.id, group.query, group.passages, group.cosines]) + "\n")
        draft.replace(path)
    with path.open(encoding="utf-8") as lines:
        made_with = json.loads(next(lines))
    if made_with != settings:
        raise ConfigError(f"{path} was made with {made_with}, not {settings}: give another folder, or delete it.")
    return read_groups(path)


def read_groups(path: Path) -> list[Group]:
    """The groups of a file that `make_groups` wrote."""
    with path.open(encoding="utf-8") as lines:
        next(lines)  # what they were made with
        return [Group(*json.loads(line)) for line in lines]


def kept_apart(group: Group) -> bool:
    """Whether a group is left out of a cross-encoder's training, for what is fitted on models' scores."""
    return place(f"kept apart {group.id}") < _APART


def _groups(source: Source[Corpus], data: Path, teacher: str, work: Path, seed: int) -> list[Group]:
    corpus = source.read(data)
    ids = sorted((name for name, (query, _) in corpus.queries.items() if query.strip()), key=place)[: source.limit]
    log.info("%s: %d queries, %d passages", source.name, len(ids), len(corpus.passages))
    rows = _candidates(corpus, [corpus.queries[i][0] for i in ids])
    random = np.random.default_rng(seed)
    picked = [_picked(corpus, corpus.queries[i][1], row, random) for i, row in zip(ids, rows, strict=True)]
    used = sorted({position for positions in picked for position in positions})
    with Embedder(teacher, truncate=True, cache=work / "teacher") as embedder:
        asked = [corpus.queries[i][0] for i in ids]
        queries = embedder.embed(asked, task="retrieval.query", show_progress=True).vectors
        passages = embedder.embed_documents([corpus.passages[position] for position in used], show_progress=True)
    at = {position: row for row, position in enumerate(used)}
    groups = []
    for row, (name, positions) in enumerate(zip(ids, picked, strict=True)):
        cosines = (passages[[at[position] for position in positions]] @ queries[row]).round(4).tolist()
        texts = [corpus.passages[position] for position in positions]
        groups.append(Group(source.name, name, corpus.queries[name][0], texts, cosines))
    return [group for group in groups if len(group.passages) == 1 + _BY_WORDS + _BY_MEANING]


def _candidates(corpus: Corpus, queries: list[str]) -> list[tuple[list[int], list[int]]]:
    """For each query the passages found by words and by meaning, best first."""
    by_words = rank_by_words(queries, corpus.passages, _DEPTH)
    with Embedder(_MINER) as miner:
        vectors: FloatArray = miner.embed_documents(corpus.passages)
        by_meaning = rank_by_cosine(miner.embed_documents(queries), vectors, _DEPTH)
    return [(w.tolist(), m.tolist()) for w, m in zip(by_words, by_meaning, strict=True)]


def _picked(
    corpus: Corpus, answers: Sequence[int], found: tuple[list[int], list[int]], random: np.random.Generator
) -> list[int]:
    """The first answer, and negatives drawn from either ranking; those near its top are drawn more often."""
    own = {corpus.documents[answer] for answer in answers}
    known = {corpus.passages[answer] for answer in answers}  # the same words may stand in another document too
    picked = [answers[0]]
    for ranking, count in zip(found, (_BY_WORDS, _BY_MEANING), strict=True):
        others = {corpus.passages[p]: p for p in reversed(ranking) if p != NONE and corpus.documents[p] not in own}
        left = [p for text, p in reversed(others.items()) if text not in known]
        weights = 1 / np.sqrt(np.arange(1, len(left) + 1))
        if left:
            drawn = random.choice(len(left), min(count, len(left)), replace=False, p=weights / weights.sum())
            picked += [left[i] for i in sorted(drawn.tolist())]
            known.update(corpus.passages[p] for p in picked)
    return picked
