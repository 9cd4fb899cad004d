"""DeepSearchAgent: a question into a cited answer."""

from jina_components.deep_search.agent import DeepSearchAgent
from jina_components.deep_search_options import Budget, DeepSearchOptions, Prices

__all__ = ["Budget", "DeepSearchAgent", "DeepSearchOptions", "Prices"]
