"""The classifier's runner from the command line, on a made-up set."""

from __future__ import annotations

import json

import numpy as np
import pytest
from quality_data import write_jsonl

from benchmarks.quality import classifier
from benchmarks.quality.classifier import BATCH, ORDERS, OURS, SYSTEMS, ZERO_SHOT
from benchmarks.quality.classifier_sets import Vectors
from jina_components.errors import ConfigError

SUBJECTS = {"negative": ("awful", "boring", "sad"), "positive": ("lovely", "funny", "great")}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for split, count in (("train", 12), ("test", 6)):
        rows = [
            {"text": f"A {words[number % 3]} film, number {number} of the {split}.", "label": label}
            for label, words in enumerate(SUBJECTS.values())
            for number in range(count)
        ]
        write_jsonl(folder / "classification/sentconv" / f"stsa.binary.{split}.jsonl.gz", rows)
    return folder


def test_the_runner_measures_every_system(data, tmp_path, capsys):
    options = ["--sets", "sst2", "--embedder", "static-minilm-v1", "--shots", "1", "10", "50", "--draws", "2"]
    classifier.main(["--data", str(data), *options, "--to", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "photos of clothes are left out" in printed
    found = json.loads((tmp_path / "results.json").read_text())
    rows = {(row["system"], row["shots"]): row for row in found["results"]}
    assert {key for key in rows if not key[0].startswith("order")} == {
        (ZERO_SHOT, 0),
        *((system, shots) for system in SYSTEMS for shots in (1, 10)),  # a label has no 50 examples
    }
    assert {key[0].partition(": ")[2] for key in rows if key[0].startswith(f"order, {OURS}")} == {
        *ORDERS, "sorted by label, one a call",
    }  # fmt: skip
    assert all(0 <= row["accuracy"] <= 1 for row in rows.values())
    assert rows[OURS, 10]["accuracy"] >= rows[BATCH, 10]["accuracy"] - 0.1
    assert OURS in (tmp_path / "results.md").read_text()
    assert (tmp_path / "results.svg").read_text().startswith("<svg")


def made_up(labels=3, train=20, test=0):
    random = np.random.default_rng(0)
    words = np.eye(labels, dtype=np.float32)
    train_labels, test_labels = np.repeat(np.arange(labels), train), np.repeat(np.arange(labels), test)
    near = [
        words[of] + 0.2 * random.normal(size=(len(of), labels)).astype(np.float32) for of in (train_labels, test_labels)
    ]
    return Vectors([f"label {n}" for n in range(labels)], words, near[0], train_labels, near[1], test_labels, -words)


def test_draws_are_of_each_label_and_leave_something_to_test():
    vectors = made_up()
    rows = vectors.draw(5, 0)
    assert np.bincount(vectors.train_labels[rows]).tolist() == [5, 5, 5]
    assert len(vectors.tests(rows)[0]) == 45
    assert np.array_equal(rows, vectors.draw(5, 0))
    assert vectors.draw(20, 0) is None
    assert len(made_up(test=4).draw(20, 0)) == 60


def test_inputs_of_no_label_are_told():
    found = {row.system: row for row in classifier.curves("e", "s", made_up(), [10], 2)}
    assert found[OURS].more["outside_auroc"] > 0.8
    assert found[OURS].accuracy > 0.9


def test_a_missing_set_is_said(tmp_path):
    with pytest.raises(ConfigError, match="missing"):
        classifier.main(["--data", str(tmp_path), "--sets", "sst2", "--embedder", "static-minilm-v1"])
