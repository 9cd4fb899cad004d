"""Texts and images into labels: by what the labels mean, or by examples."""

from jina_components.classifier.classifier import Classifier
from jina_components.classifier.entries import RegisteredClassifier
from jina_components.classifier.evaluation import Evaluation, LabelReport, Mistake
from jina_components.classifier.registry import ClassifierRegistry

__all__ = ["Classifier", "ClassifierRegistry", "Evaluation", "LabelReport", "Mistake", "RegisteredClassifier"]
