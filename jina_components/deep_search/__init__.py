"""DeepSearchAgent: a question into a cited answer."""

from jina_components.deep_search.agent import DeepSearchAgent

__all__ = ["DeepSearchAgent"]
