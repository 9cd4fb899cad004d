"""The reasoner without a language model: follows names from passage to passage, and answers in verbatim sentences."""

from jina_components.deep_search.extractive.reasoner import ExtractiveReasoner

__all__ = ["ExtractiveReasoner"]
