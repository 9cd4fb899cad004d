"""What the segmenter's runners count, and that they run."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.quality import segmenter
from benchmarks.quality.late_chunking import Question, Task
from benchmarks.quality.segmenter_cuts import audit, is_clean
from benchmarks.quality.segmenter_systems import SYSTEMS, _of_texts
from benchmarks.speed import segmenting

CODE = "```py\na = 1\nb = 2\n```\n"
TABLE = "| a | b |\n|---|---|\n| 1 | 2 |\n"


def cut(text: str, *marks: str) -> list[tuple[int, int]]:
    places = [0, *(text.index(mark) for mark in marks), len(text)]
    return list(pairwise(places))


def test_what_is_broken_is_counted_of_all_and_of_what_fits() -> None:
    text = f"# A\n\nText.\n\n{CODE}\n{TABLE}"
    found = audit(text, cut(text, "Text", "b = 2", "| 1"), limit=25, length=len)
    assert {name: found[name] for name in ("cuts", "headings", "orphans", "mid-sentence")} == {
        "cuts": 3, "headings": 1, "orphans": 1, "mid-sentence": 0,
    }  # fmt: skip
    assert (found["fences"], found["fences cut"], found["fitting fences"], found["fitting fences cut"]) == (1, 1, 1, 1)
    assert (found["tables"], found["tables cut"], found["fitting tables"]) == (1, 1, 0)
    assert found["longer"] == 1
    assert not audit(text, cut(text, "```py", "| a"), limit=25, length=len)["fences cut"]


@pytest.mark.parametrize(
    ("before", "after", "clean"),
    [
        ("One ends. ", "Two begins.", True),
        ("One ends.[^3] ", "Two", True),
        ("One ends.</b> ", "Two", True),
        ("これは。", "次は", True),
        ("One goes ", "on.", False),
        ("One goes\n", "on.", False),
        ("One\n\n", "two", True),
        ("words\n", "- item", True),
        ("| a | b\n", "c", True),
        ("https://" + "x" * 90, "xx", True),
        ("One, ", "two.", False),
    ],
)
def test_where_a_sentence_goes_on(before: str, after: str, clean: bool) -> None:
    assert is_clean(before + after, len(before), len(before)) is clean


def test_offsets_of_splitters_that_give_none() -> None:
    assert _of_texts(lambda text: text.split())("a b a") == [(0, 1), (2, 3), (4, 5)]
    with pytest.raises(ValueError, match="not in the text"):
        _of_texts(lambda _: ["c"])("a b")


def test_ours_in_a_process_of_its_own() -> None:
    texts = ["One. Two. Three. " * 20, CODE]
    name = next(iter(SYSTEMS))
    found = segmenter.run(name, sys.executable, 20, texts)
    assert [
        "".join(text[start:end] for start, end in spans) for text, spans in zip(texts, found.spans, strict=True)
    ] == texts
    row = segmenter.cut_scores(texts, found, 20)
    assert row["longer"] == row["mid-sentence"] == row["fences"] == 0
    assert row["fill"] > 0.6
    assert row["first"] > 0


def test_excerpts_are_found(tmp_path: Path) -> None:
    text = "The heron waits by the river.\n\nBread costs four coins."
    task = Task([Question("What does bread cost?", "a", [(31, 54)])], {"a": text})
    vectors = segmenter.Vectors("static-minilm-v1", tmp_path / "vectors.npz")
    row = segmenter.retrieval_scores(task, {"a": [(0, 31), (31, len(text))]}, vectors)
    assert row["chunks"] == 2
    assert row["all"][0] == 1
    assert segmenter.Vectors("static-minilm-v1", tmp_path / "vectors.npz").of([text]).shape[0] == 1


def test_speed_of_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.md").write_text("One. Two.\n\n" * 50, "utf-8")
    segmenting.main([str(tmp_path), "--only", "ours, characters"])
    assert json.loads(capsys.readouterr().out).keys() == {"first", "again"}
    segmenting.main([str(tmp_path), "--only", "large", "--megabytes", "0.01"])
    assert json.loads(capsys.readouterr().out)["megabytes"] > 0.01
