"""Calculations that a model writes, run without harm."""

from jina_components.deep_search.calculator.calculator import LANGUAGE, MAX_CODE, MAX_RESULT, MAX_STEPS, calculate

__all__ = ["LANGUAGE", "MAX_CODE", "MAX_RESULT", "MAX_STEPS", "calculate"]
