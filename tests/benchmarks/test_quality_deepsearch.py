"""The multi-hop benchmark on questions few enough to see through."""

from __future__ import annotations

import gzip
import json

import pytest

from benchmarks.quality import deepsearch, deepsearch_fit
from benchmarks.quality.deepsearch_sets import holds, recall, token_f1

PASSAGES = [
    {"_id": "film", "title": "Silent Harbour", "text": "Silent Harbour is a film directed by Mara Velk."},
    {"_id": "velk", "title": "Mara Velk", "text": "Mara Velk was born in Ostrava."},
    {"_id": "bread", "title": "Bread", "text": "Bread is baked from flour, water and salt."},
    {"_id": "school", "title": "School", "text": "Teachers work there."},
]
QUESTION = {
    "_id": "1",
    "question": "Where was the director of Silent Harbour born?",
    "answer": "Ostrava",
    "supporting": ["film", "velk"],
}


@pytest.fixture
def data(tmp_path):
    for folder in ("hotpot_100", "musique_train100", "wiki2_passages"):
        for name, rows in (("passages", PASSAGES), ("questions", [QUESTION, QUESTION])):
            path = tmp_path / "deepsearch" / folder / f"{name}.jsonl.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            prefix = "" if folder == "hotpot_100" else folder
            told = [{**row, "_id": prefix + row["_id"]} for row in rows]
            told = [
                {**row, "supporting": [prefix + one for one in row["supporting"]]} if "supporting" in row else row
                for row in told
            ]
            path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in told).encode()))
    return tmp_path


def test_the_agent_is_measured_beside_a_single_query(data, tmp_path, capsys):
    to = tmp_path / "results.json"
    models = ["--embedder", "static-minilm-v1", "--reranker", "static-minilm-v1-maxsim"]
    deepsearch.main(["--data", str(data), "--sets", "hotpotqa", "--joint", *models, "--to", str(to)])
    results = json.loads(to.read_text())
    assert set(results) == {"hotpotqa", "hotpotqa joint"}
    row = results["hotpotqa"]["agent"]
    assert set(row) == set(deepsearch.COLUMNS)
    assert row["r@5"] == row["odd"] == row["even"] == 1
    assert row["steps"] >= 2
    assert row["queries"] >= 1
    assert results["hotpotqa"]["single"]["r@10"] == 1
    assert "hotpotqa joint" in capsys.readouterr().out


def test_weights_are_fitted(data, capsys):
    deepsearch_fit.main(["--data", str(data), "--even"])
    told = capsys.readouterr().out
    assert "by question:" in told
    assert "'question_rank'" in told


def test_metrics():
    assert recall(["a", "x", "b"], frozenset("ab")) == 1
    assert recall(["a", "x", "b"], frozenset("ab"), depth=1) == 0.5
    assert token_f1("The Ostrava!", ["ostrava"]) == 1
    assert token_f1("born in Ostrava", ["Ostrava", "Brno"]) == 0.5
    assert token_f1("nothing", ["Ostrava"]) == 0
    assert holds("She was born in the Ostrava region.", ["ostrava region"])
    assert not holds("It is 135.", ["35"])
