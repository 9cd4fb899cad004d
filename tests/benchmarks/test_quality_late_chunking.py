"""Late chunking's runner from the command line, on a made-up set."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from quality_data import write_jsonl

from benchmarks.quality import late_chunking
from benchmarks.quality.late_chunking import METRICS, Piece, Question, Task
from jina_components.errors import ConfigError

pytest.importorskip("torch")

ANIMALS = ["The heron waits.", "The otter swims.", "The badger digs.", "The swallow leaves.", "The fox listens."]
NOISE = "Rain fell on the hills all day, and nobody went out. "
DEFAULT = "small-embedding-v1"


def excerpt(text: str, sentence: str) -> dict[str, object]:
    start = text.index(sentence)
    return {"content": sentence, "start_index": start, "end_index": start + len(sentence)}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    corpora = folder / late_chunking.FOLDER / "corpora"
    corpora.mkdir(parents=True)
    texts = {
        "meadow": "".join(NOISE + sentence + "\r\n\r\n" for sentence in ANIMALS),
        "market": "\n\n".join(["Apples cost two coins.", "Bread costs four.", "Cheese costs nine."]),
    }
    for name, text in texts.items():
        (corpora / f"{name}.md.gz").write_bytes(gzip.compress(text.encode()))
    asked = [("meadow", f"What does {sentence[:-1].split()[1]} do?", sentence) for sentence in ANIMALS]
    asked.append(("market", "What does bread cost?", "Bread costs four."))
    rows = [
        {"question": question, "corpus": name, "references": [excerpt(texts[name], sentence)]}
        for name, question, sentence in asked
    ]
    write_jsonl(folder / late_chunking.FOLDER / "questions.jsonl.gz", rows)
    return folder


@pytest.fixture(scope="module")
def results(data, tmp_path_factory):
    to = tmp_path_factory.mktemp("results") / "late.json"
    options = ["--embedders", DEFAULT, "--lengths", "70", "300", "--no-long-context"]
    late_chunking.main(["--data", str(data), *options, "--to", str(to)])
    return json.loads(to.read_text())


def test_every_length_is_measured_both_ways(results):
    assert [(row["model"], row["length"]) for row in results] == [(DEFAULT, 70), (DEFAULT, 300)]
    for row in results:
        assert tuple(row["plain"]) == tuple(row["late"]) == METRICS
        assert all(0 <= value <= 1 for way in ("plain", "late") for value in row[way].values())
        for name in METRICS:
            assert row["difference"][name][0] == pytest.approx(row["late"][name] - row["plain"][name])


def test_short_documents_are_a_window_each(results):
    assert {row["windows"] for row in results} == {2}
    assert all(late < plain for plain, late in (row["tokens"] for row in results if row["length"] == 70))


def test_plain_vectors_find_what_is_asked_for(results):
    assert results[0]["plain"]["nDCG@10"] > 0.7


def test_a_long_context_runs(data, capsys):
    late_chunking.main(["--data", str(data), "--embedders", "--documents", "market", "--lengths", "30"])
    name, chunks, tokens, windows, _ = capsys.readouterr().out.splitlines()[-1].split()
    assert (name, chunks, windows) == ("market", "3", "1")
    assert int(tokens) > 10


def test_characters_count_as_the_evaluation_counts_them():
    """Two of three chunks were retrieved; the excerpt is half of the first and a quarter of one that was not."""
    pieces = [Piece("d", 0, "x" * 40), Piece("d", 40, "x" * 40), Piece("other", 0, "x" * 60)]
    task = Task([Question("?", "d", [(20, 50)])], {"d": "x" * 80, "other": "x" * 60})
    (values,) = late_chunking.judge(np.array([[0, 2, -1]]), task, pieces)
    found = dict(zip(METRICS, values.tolist(), strict=True))
    assert found["found@5"] == pytest.approx(20 / 30)
    assert found["precision@5"] == pytest.approx(20 / 100)
    assert found["IoU@5"] == pytest.approx(20 / 110)
    assert found["recall@5"] == pytest.approx(1 / 2)
    assert found["nDCG@10"] == pytest.approx(1 / (1 + 1 / np.log2(3)))


def test_a_larger_sample_of_questions_holds_a_smaller_one(data):
    one, four = (late_chunking.load_task(data, questions=count) for count in (1, 4))
    assert list(four.questions[:1]) == list(one.questions)
    assert len(four.questions) == 4
    assert one.documents == four.documents
    assert set(one.documents) == {"market", "meadow"}


def test_what_is_not_there_is_said(data, tmp_path):
    with pytest.raises(ConfigError, match="questions"):
        late_chunking.load_task(tmp_path)
    with pytest.raises(ConfigError, match="no question about castle"):
        late_chunking.load_task(data, documents=["castle"])


@pytest.mark.slow
def test_excerpts_stand_where_the_published_set_says():
    data = Path(os.environ.get("JINA_COMPONENTS_DATA", "no such directory"))
    if not (data / late_chunking.FOLDER).exists():
        pytest.skip(f"JINA_COMPONENTS_DATA has no {late_chunking.FOLDER}")
    task = late_chunking.load_task(data)
    pieces = late_chunking.cut(task, 500)
    for question in task.questions[:40]:
        assert sum(piece.shared(question) for piece in pieces) >= 0.98 * sum(
            stop - start for start, stop in question.excerpts
        )
