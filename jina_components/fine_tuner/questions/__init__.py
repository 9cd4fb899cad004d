"""Questions that a passage answers, by rules: no model, no network."""

from jina_components.fine_tuner.questions.asking import Question, questions_of
from jina_components.fine_tuner.questions.code import code_language
from jina_components.fine_tuner.questions.corpus import Corpus
from jina_components.fine_tuner.questions.languages import LANGUAGES, language_of
from jina_components.fine_tuner.questions.topics import opening_title, topic_of

__all__ = [
    "LANGUAGES",
    "Corpus",
    "Question",
    "code_language",
    "language_of",
    "opening_title",
    "questions_of",
    "topic_of",
]
