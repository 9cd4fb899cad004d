import json
import subprocess
import sys

import numpy as np
import pytest


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text('{"id": "a", "text": "the sea is calm"}\n{"id": "b", "text": "stocks fell"}\n')
    return path


def test_it_embeds_and_says_what_it_did(run, source, tmp_path, bundled_embedder):
    pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    code, out, err = run(
        "embed-file", source, "--to", tmp_path / "out", "--id-column", "id", "--embedder", "static-minilm-v1"
    )
    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path / 'out'}: 2 rows in 1 shards (0 from before), ")
    table = pq.read_table(tmp_path / "out" / "part-00000.parquet")
    assert table["id"].to_pylist() == ["a", "b"]
    expected = bundled_embedder.embed_documents(["the sea is calm", "stocks fell"])
    np.testing.assert_allclose(np.stack(table["vector"].to_numpy()), expected, atol=1e-6)


def test_its_settings_and_its_summary_as_json(run, source, tmp_path, bundled_embedder):
    arguments = [
        "embed-file", source, "--to", tmp_path / "out", "--format", "npy", "--embedder", "static-minilm-v1",
        "--dimensions", 16, "--task", "none", "--storage-type", "int8", "--shard-rows", 1, "--json",
    ]  # fmt: skip
    code, out, _ = run(*arguments)
    summary = json.loads(out)
    assert code == 0
    assert {name: summary[name] for name in ("rows", "failures", "shards", "resumed")} == {
        "rows": 2, "failures": 0, "shards": 2, "resumed": 0,
    }  # fmt: skip
    assert summary["tokens"] == bundled_embedder.embed(["the sea is calm", "stocks fell"]).usage.prompt_tokens
    assert np.load(tmp_path / "out" / "part-00001.npy").shape == (1, 16)
    assert json.loads(run(*arguments)[1])["resumed"] == 2


def test_bad_rows_end_it_or_are_left_out(run, source, tmp_path):
    source.write_text(source.read_text() + '{"id": "c"}\n')
    arguments = ["embed-file", source, "--to", tmp_path / "out", "--format", "npy", "--embedder", "static-minilm-v1"]
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert f"{source}, row at line 3: It has no 'text'." in err
    code, out, err = run(*arguments, "--skip-bad")
    assert code == 3
    assert "2 rows in 1 shards" in out
    assert f"1 rows were left out; {tmp_path / 'out' / 'failures.jsonl'} lists them" in err
    [failure] = (tmp_path / "out" / "failures.jsonl").read_text().splitlines()
    assert json.loads(failure) == {"line": 3, "error": "It has no 'text'."}


def test_a_directory_of_other_settings(run, source, tmp_path):
    arguments = ["embed-file", source, "--to", tmp_path / "out", "--format", "npy", "--embedder", "static-minilm-v1"]
    assert run(*arguments)[0] == 0
    code, _, err = run(*arguments, "--dimensions", 8)
    assert code == 2
    assert "begun with dimensions None (now 8)" in err


def test_with_workers_as_a_command(source, tmp_path):
    done = subprocess.run(
        [
            sys.executable, "-m", "jina_components", "embed-file", str(source), "--to", str(tmp_path / "out"),
            "--format", "npy", "--embedder", "static-minilm-v1", "--workers", "2", "--shard-rows", "1",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "2 rows in 2 shards" in done.stdout
    assert done.stderr == ""
