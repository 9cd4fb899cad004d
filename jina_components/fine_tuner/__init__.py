"""FineTuner: a domain into an embedder that knows it. `recipes` made the bundled models."""

from jina_components.fine_tuner.compare import Comparison
from jina_components.fine_tuner.fine_tuner import FineTuner
from jina_components.fine_tuner.fit import FitProgress, FitResult
from jina_components.fine_tuner.judged import JudgedQuestions
from jina_components.fine_tuner.settings import FitSettings
from jina_components.fine_tuner.synthesize import SynthesisSettings
from jina_components.fine_tuner.triplets import Passage, Triplet, Triplets

__all__ = [
    "Comparison",
    "FineTuner",
    "FitProgress",
    "FitResult",
    "FitSettings",
    "JudgedQuestions",
    "Passage",
    "SynthesisSettings",
    "Triplet",
    "Triplets",
]
