"""What components take and return: frozen dataclasses, equal over code, frameworks and the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jina_components.types.answered import Answer, AnsweredSentence, Citation, DeepSearchStep, Spent
from jina_components.types.classified import (
    Classification,
    Classifications,
    ClassifierVersion,
    Example,
    Examples,
    GroupedClassifications,
    Labels,
    Training,
)
from jina_components.types.found import SearchResult, SearchResults
from jina_components.types.grounded import (
    ClaimVerdict,
    GroundedSentence,
    GroundedText,
    Grounding,
    GroundingStep,
    Reference,
    Verdict,
)
from jina_components.types.pages import Chunk, Page, Reading, Segmentation, SourceFailure, TokenPiece
from jina_components.types.scores import DocumentFailure, Entailment, Entailments, Ranking, ScoredDocument, StageScore
from jina_components.types.texts import Document, Image, Usage, shorten
from jina_components.types.trace import Trace, TracedCall
from jina_components.types.vectors import Embeddings, MultiVectorEmbeddings, StorageType

if TYPE_CHECKING:
    from jina_components.types.vectors import FloatArray as FloatArray

__all__ = [
    "Answer",
    "AnsweredSentence",
    "Chunk",
    "Citation",
    "ClaimVerdict",
    "Classification",
    "Classifications",
    "ClassifierVersion",
    "DeepSearchStep",
    "Document",
    "DocumentFailure",
    "Embeddings",
    "Entailment",
    "Entailments",
    "Example",
    "Examples",
    "GroundedSentence",
    "GroundedText",
    "Grounding",
    "GroundingStep",
    "GroupedClassifications",
    "Image",
    "Labels",
    "MultiVectorEmbeddings",
    "Page",
    "Ranking",
    "Reading",
    "Reference",
    "ScoredDocument",
    "SearchResult",
    "SearchResults",
    "Segmentation",
    "SourceFailure",
    "Spent",
    "StageScore",
    "StorageType",
    "TokenPiece",
    "Trace",
    "TracedCall",
    "Training",
    "Usage",
    "Verdict",
    "shorten",
]
