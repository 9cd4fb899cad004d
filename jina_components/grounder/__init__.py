"""Grounder: a statement into a verdict with the quotes that show it."""

from jina_components.grounder.grounder import Grounder

__all__ = ["Grounder"]
