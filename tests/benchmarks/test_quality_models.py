"""The quality suite from the command line, on made-up sets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from xml.etree import ElementTree as ET

import pytest
from quality_data import write_quality_data
from tiny_checkpoints import FOUR_LABELS, save_pair_model

from benchmarks.quality import models, report
from benchmarks.quality.report import Result
from jina_components.errors import ConfigError

SETS = {
    "retrieval": {"scifact", "squad", "cosqa", "cranfield", "npl", "anthropic_docs"},
    "classification": {"clinc150", "sib200", "sentconv"},
    "similarity": {"stsb"},
    "entailment": {"fever", "foolmetwice", "scifact_claims"},
}
SETS |= {"reranking BM25": SETS["retrieval"], "reranking hybrid": SETS["retrieval"]}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_quality_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def measured(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    pair_model = save_pair_model(folder / "pair-model", FOUR_LABELS)
    rerankers = ["--rerankers", "words=static-minilm-v1-maxsim", str(pair_model)]
    names = ["--embedders", "static-minilm-v1", *rerankers, "--entailment", f"tiny={pair_model}"]
    folders = ["--data", str(data), "--to", str(folder), "--cache", str(folder / "cache")]
    models.main([*folders, *names, "--queries", "2"])
    return folder


def results(folder) -> list[Result]:
    return [Result(**row) for row in json.loads((folder / "results.json").read_text())]


def test_every_task_is_measured_on_every_set(measured):
    found: dict[str, set[str]] = {}
    for result in results(measured):
        found.setdefault(result.task, set()).add(result.set)
        assert all(-1 <= value <= 1 + 1e-9 for value in result.values.values()), result
    assert found == SETS


def test_every_system_is_measured(measured):
    by_task: dict[str, set[str]] = {}
    for result in results(measured):
        by_task.setdefault(result.task, set()).add(result.system)
    assert by_task["retrieval"] == {"BM25", "bm25s", "static-minilm-v1", "BM25 + static-minilm-v1"}
    assert by_task["reranking BM25"] == by_task["reranking hybrid"]
    assert by_task["reranking BM25"] == {
        "BM25", "bm25s", "BM25 + static-minilm-v1", "cosine of static-minilm-v1", "words", "pair-model",
    }  # fmt: skip
    assert by_task["entailment"] == {"tiny"}
    assert by_task["similarity"] == by_task["classification"] == {"static-minilm-v1"}


def test_words_that_answer_are_found(measured):
    rows = report.table(results(measured), "retrieval", "ndcg@10")
    assert rows["BM25"]["squad"] > 0.9
    assert {result.items for result in results(measured) if result.task == "reranking BM25"} == {2}


def test_tables_and_chart_hold_what_was_measured(measured):
    text = (measured / "results.md").read_text()
    for task in SETS:
        assert f"## {task}: " in text
    drawn = ET.parse(measured / "results.svg").getroot()
    texts = {element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert {*report.SUMMARY, "BM25", "tiny", "pair-model"} <= texts


def test_a_later_run_adds_to_the_results_of_the_earlier(data, measured, capsys):
    before = results(measured)
    models.main(
        ["--data", str(data), "--to", str(measured), "--tasks", "similarity", "--embedders", "again=static-minilm-v1"]
    )
    after = results(measured)
    added = [result for result in after if result not in before]
    assert [result.system for result in added] == ["again"]
    assert len(after) == len(before) + 1
    assert "STS, Spearman" in capsys.readouterr().out


def test_without_an_embedder_words_alone_are_reranked(data, tmp_path):
    names = ["--embedders", "--rerankers", "static-minilm-v1-maxsim"]
    options = ["--tasks", "reranking", "--sets", "npl"]
    models.main(["--data", str(data), "--to", str(tmp_path), *options, *names])
    assert {result.task for result in results(tmp_path)} == {"reranking BM25"}


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["a/b/c"], {"c": "a/b/c"}),
        (["x=a/b", "owner/name"], {"x": "a/b", "name": "owner/name"}),
    ],
)
def test_labels(names: list[str], labels: Mapping[str, str]):
    assert models.labelled(names) == labels


def test_two_models_of_one_label_are_refused():
    with pytest.raises(ConfigError, match="write LABEL=NAME"):
        models.labelled(["a/model", "b/model"])


def test_the_peers_that_are_there_are_measured_too(tmp_path):
    assert {"static-minilm-v1", "all-MiniLM-L6-v2"} <= models.systems.default_embedders(tmp_path).keys()
    (tmp_path / "weights" / "potion-base-4m-int8").mkdir(parents=True)
    assert "potion-base-4m-int8" in models.systems.default_embedders(tmp_path)


def test_only_a_system_measured_on_every_set_has_an_average():
    made = [Result("t", "a", "whole", 1, {"m": 0.2}), Result("t", "b", "whole", 1, {"m": 0.4})]
    rows = report.table([*made, Result("t", "a", "part", 1, {"m": 1.0})], "t", "m")
    assert rows["whole"]["average"] == pytest.approx(0.3)
    assert "average" not in rows["part"]


def test_names_are_escaped_in_the_chart():
    drawn = ET.fromstring(report.chart({"a < b": {"<script>": 0.5, "over": 2.0}}))
    assert "<script>" in {element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")}
