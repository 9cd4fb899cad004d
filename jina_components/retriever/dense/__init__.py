"""Nearest unit vectors by cosine: exact while they are few, then over an index that is chosen by a table."""

from __future__ import annotations

from jina_components.retriever.dense.engines import BuildStopped
from jina_components.retriever.dense.index import DenseIndex
from jina_components.retriever.dense.plans import PLANS, Storage

__all__ = ["PLANS", "BuildStopped", "DenseIndex", "Storage"]
