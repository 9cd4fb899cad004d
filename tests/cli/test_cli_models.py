import json
import re

import huggingface_hub.constants
import pytest

from jina_components.cli import main
from jina_components.models.catalog import BY_NAME, MODELS


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Runs the command with an empty cache of the hub client."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))

    def call(*arguments):
        code = main(["models", *arguments])
        return code, *capsys.readouterr()

    return call


def cells(table, name):
    """The row of a model, by heading."""
    heading, *rows = (re.split(r" {2,}", line) for line in table.splitlines())
    return dict(zip(heading, next(row for row in rows if row[0] == name), strict=True))


def save_snapshot(cache, name, size):
    spec = BY_NAME[name]
    folder = cache / f"models--{spec.hub_id.replace('/', '--')}" / "snapshots" / spec.revision
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(size))


def test_every_model_has_a_line_that_fits_a_terminal(run):
    code, out, err = run()
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[1:-2]] == [spec.name for spec in MODELS]
    assert max(map(len, out.splitlines())) <= 120
    assert out.endswith("* not for commercial use\n")


def test_what_a_line_says(run, tmp_path):
    save_snapshot(tmp_path, "jina-embeddings-v2-base-de", 3_600_000)
    _, out, _ = run()
    assert cells(out, "small-embedding-v1") == {
        "name": "small-embedding-v1", "kind": "embedding", "size": "19.2M", "dims": "384", "context": "512",
        "lang": "en", "license": "Apache-2.0", "on disk": "bundled",
    }  # fmt: skip
    assert cells(out, "jina-embeddings-v2-base-de") == {
        "name": "jina-embeddings-v2-base-de", "kind": "embedding", "size": "161M", "dims": "768", "context": "8192",
        "lang": "de en", "license": "Apache-2.0", "on disk": "4 MB",
    }  # fmt: skip
    assert cells(out, "jina-embeddings-v4") == {
        "name": "jina-embeddings-v4", "kind": "embedding+image", "size": "3.93B", "dims": "2048", "context": "32768",
        "lang": "many", "license": "Qwen-Research-NC*", "on disk": "-",
    }  # fmt: skip
    assert cells(out, "jina-colbert-v2")["dims"] == "n x 128"
    reranker = cells(out, "bge-reranker-base")
    assert (reranker["size"], reranker["dims"], reranker["lang"]) == ("-", "-", "en zh")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["ColBERT"], ["jina-colbert-v1-en", "jina-colbert-v2"]),
        (["--kind", "listwise"], ["jina-reranker-v3"]),
        (["v2", "--kind", "late-interaction"], ["jina-colbert-v2"]),
        (["cross-encoder/ms-marco-MiniLM-L-6"], ["ms-marco-MiniLM-L6-v2"]),
    ],
)
def test_filters(run, arguments, names):
    rows = [json.loads(line) for line in run(*arguments, "--json")[1].splitlines()]
    assert [row["name"] for row in rows] == names
    _, table, _ = run(*arguments)
    assert [line.split()[0] for line in table.splitlines()[1 : len(names) + 1]] == names


def test_nothing_found(run):
    for arguments in (["nonesuch"], ["nonesuch", "--json"]):
        code, out, _ = run(*arguments)
        assert (code, out) == (1, "")
    assert "no such model in the catalog" in run("nonesuch")[2]


def test_a_kind_that_is_none(run):
    with pytest.raises(SystemExit) as stop:
        run("--kind", "vectors")
    assert stop.value.code == 2


def test_json_has_all_that_is_known(run, tmp_path):
    save_snapshot(tmp_path, "jina-embeddings-v5-text-nano", 1234)
    rows = {row["name"]: row for row in map(json.loads, run("--json")[1].splitlines())}
    assert list(rows) == [spec.name for spec in MODELS]
    nano = rows["jina-embeddings-v5-text-nano"]
    assert nano["tasks"] == [
        "retrieval.query", "retrieval.passage", "text-matching", "classification", "separation", "clustering",
    ]  # fmt: skip
    assert nano["default_task"] == "text-matching"
    assert nano["prompts"]["retrieval.query"] == "Query: "
    assert nano["adapters"]["separation"] == "clustering"
    assert nano["matryoshka"] == [768, 512, 256, 128, 64, 32]
    assert nano["revision"] == BY_NAME[nano["name"]].revision
    assert nano["non_commercial"] is True
    assert nano["bytes_on_disk"] == 1234
    assert rows["static-minilm-v1"]["files"] == "bundled"
    assert rows["static-minilm-v1"]["bytes_on_disk"] > 7e6
    assert rows["ReaderLM-v2"]["tasks"] == rows["jina-reranker-m0"]["tasks"] == []
