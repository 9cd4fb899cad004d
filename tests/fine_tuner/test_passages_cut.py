from __future__ import annotations

import pytest

from jina_components import Document
from jina_components.errors import MissingDependencyError
from jina_components.fine_tuner.passages import Cutter, has_terms
from jina_components.segmenter import Segmenter

GUIDE = "# Pump\n\n## Start\n\nOpen the valve. Press the green button.\n\n## Stop\n\nPress the red button and wait."
STORY = "The old pump of the village stood by the well, and every morning the baker came to fill two large buckets."


def test_passages_keep_title_headings_and_language():
    document = Document(GUIDE, metadata={"title": "Pump manual", "heading": "Machines"})
    first, second = Cutter(16).pieces(document)
    assert (first.title, first.number, second.number) == ("Pump manual", 0, 1)
    assert second.headings == ("Machines", "Pump", "Stop")
    assert second.passage.text.endswith("Press the red button and wait.")
    assert second.passage.document == document.id
    assert second.passage.language == "en"
    assert first.passage.id != second.passage.id


def test_a_language_that_the_document_names_counts():
    (piece,) = Cutter(64).pieces(Document("Pump 3", metadata={"language": "de-AT"}))
    assert piece.passage.language == "de"


def test_code_is_cut_as_prose_without_its_grammar_and_says_so(monkeypatch):
    load = Segmenter.load

    def missing(self):
        if self._language:
            raise MissingDependencyError("pip install 'jina-components[code]'")
        return load(self)

    monkeypatch.setattr(Segmenter, "load", missing)
    cutter = Cutter(64)
    assert list(cutter.pieces(Document("def f(x):\n    return x\n")))
    assert list(cutter.pieces(Document("def g(x):\n    return x\n")))
    (told,) = cutter.warnings
    assert told.startswith("python code is cut as prose")


@pytest.mark.parametrize(("text", "enough"), [("one two three four", True), ("one two three", False), ("", False)])
def test_words_are_counted_no_further_than_needed(text, enough):
    assert has_terms(text, 4) is enough
