"""The model card of a fitted model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from jina_components.fine_tuner.settings import Kind
from jina_components.fine_tuner.triplets import SPLITS, Triplet, Triplets

if TYPE_CHECKING:
    from jina_components.fine_tuner.fit import FitResult
    from jina_components.fine_tuner.training.bases import Base

_TAGS: Mapping[Kind, str] = {
    "embedder": "sentence-similarity, feature-extraction",
    "static": "sentence-similarity, static-embeddings",
    "reranker": "text-classification, reranking",
}
_WHAT: Mapping[Kind, str] = {
    "embedder": "A text embedder",
    "static": "A static text embedder",
    "reranker": "A cross-encoder that scores how well a passage answers a question",
}
_LOADED: Mapping[Kind, tuple[str, str]] = {
    "embedder": ("Embedder", "SentenceTransformer"),
    "static": ("Embedder", "SentenceTransformer"),
    "reranker": ("Reranker", "CrossEncoder"),
}
_LIBRARIES = ("jina-components", "sentence-transformers", "transformers", "torch")


def card_of(name: str, base: Base, triplets: Triplets, result: FitResult, seed: int) -> str:
    """Markdown, with the metadata that the Hugging Face hub reads."""
    sections = (
        _head(name, base, triplets, result),
        _use(result.kind, name),
        _making(base, triplets, result, seed),
        _quality(result),
        _limits(base),
    )
    return "\n".join(sections)


def _head(name: str, base: Base, triplets: Triplets, result: FitResult) -> str:
    languages = sorted({each.language for each in triplets.train if each.language})
    lines = [
        f"license: {base.licence.lower() or 'other'}",
        f"base_model: {base.name}",
        *([f"language: [{', '.join(languages)}]"] if languages else []),
        "library_name: sentence-transformers",
        f"tags: [{_TAGS[result.kind]}]",
    ]
    metadata = "\n".join(lines)
    return (
        f"---\n{metadata}\n---\n\n# {name}\n\n{_WHAT[result.kind]}: {base.name}, fitted to questions about documents.\n"
    )


def _use(kind: Kind, name: str) -> str:
    ours, theirs = _LOADED[kind]
    return (
        f"```python\nfrom jina_components import {ours}\n\nmodel = {ours}({name!r})  # the folder\n```\n\n"
        f"sentence-transformers' `{theirs}` loads the folder too.\n"
    )


def _making(base: Base, triplets: Triplets, result: FitResult, seed: int) -> str:
    counts = "\n".join(
        f"| {split} | {len(rows):,} | {_kinds(rows)} |" for split in SPLITS if (rows := getattr(triplets, split))
    )
    given = result.settings
    revision = f", revision {base.revision}" if base.revision else ""
    libraries = ", ".join(f"{each} {version(each)}" for each in _LIBRARIES)
    losses = ", ".join(f"{name} {weight:g}" for name, weight in (given.losses or {}).items() if weight)
    fitted = (
        f"in a residual layer of {given.hidden:,} on top of the base, whose own weights are as they were"
        if given.hidden
        else f"in matrices of rank {given.lora}, merged at the end (LoRA)"
        if given.lora
        else "in the weights themselves"
    )
    cut = f" Vectors were fitted to be cut to {', '.join(map(str, given.widths))} dimensions." if given.widths else ""
    kept = f"No step was better for the dev questions than {base.name}, whose weights these are."
    if result.best_step:
        chosen = f"those after step {result.best_step}, the best for the dev questions," if triplets.dev else "the last"
        kept = f"Of the weights, {chosen} are here."
    return f"""## How it was made

From `{base.name}`{revision} (licence: {base.licence or "not stated"}),
with {libraries}.
The questions were about {len(triplets.passages):,} passages; none of the texts is in this folder.

| split | questions | kinds |
|---|---:|---|
{counts}

{result.steps} steps of {given.batch} questions, each with up to {given.negatives} passages that do not answer it,
{fitted}; AdamW with a highest rate of {given.rate:g}, seed {seed}.
Losses by weight: {losses}.{cut}
{kept}
All settings are in `training.json`, the course in `log.jsonl`.
"""


def _kinds(rows: Sequence[Triplet]) -> str:
    counts = Counter(each.kind or "unknown" for each in rows)
    return ", ".join(f"{kind} {count:,}" for kind, count in counts.most_common())


def _quality(result: FitResult) -> str:
    if not result.after:
        return "## Quality\n\nNot measured: there were no questions kept aside.\n"
    rows = "\n".join(
        f"| {split}, {name} | {result.before[split][name]:.3f} | {value:.3f} |"
        for split, row in result.after.items()
        for name, value in row.items()
    )
    return f"""## Quality

On the questions kept aside, of other documents than those trained with. They were derived like those trained with, so
that this says little of what people ask: measure with real questions (`FineTuner.evaluate`).

| questions | base | this |
|---|---:|---:|
{rows}
"""


def _limits(base: Base) -> str:
    return f"""## Limits

Those of {base.name}, its languages, length of texts and biases among them. It was fitted to one collection of
documents, and may be worse than its base elsewhere.

## Licence

{base.licence or "Not stated by the base"}, that of the base. Texts that it was fitted to may have terms of their own.
"""
