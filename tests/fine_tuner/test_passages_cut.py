from __future__ import annotations

import pytest

from jina_components import Document
from jina_components.errors import MissingDependencyError
from jina_components.fine_tuner.passages import Cutter, copies, has_terms, split_of
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


def test_near_copies_are_found():
    other = STORY.replace("two large", "two very large")
    texts = [STORY * 3, "A train leaves at noon.", other + STORY * 2, "", "A train leaves at noon.", ""]
    assert copies(texts) == [0, 1, 0, 3, 1, 3]
    assert copies([]) == []


@pytest.mark.parametrize(("text", "enough"), [("one two three four", True), ("one two three", False), ("", False)])
def test_words_are_counted_no_further_than_needed(text, enough):
    assert has_terms(text, 4) is enough


def test_splits_depend_on_the_document_alone():
    names = [f"document {number}" for number in range(2000)]
    splits = [split_of(name, dev=0.1, test=0.2) for name in names]
    assert 0.07 < splits.count("dev") / 2000 < 0.13
    assert 0.17 < splits.count("test") / 2000 < 0.23
    assert {split_of(name, dev=0, test=0) for name in names} == {"train"}
