import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import save_file

from jina_components import Embedder, quantize
from jina_components.errors import ConfigError, IndexFilesError, InputError, ModelFilesError, UnknownNameError
from jina_components.scale import EmbeddingReport, embed_file

WORDS = ["sea", "calm", "stocks", "fell", "rain", "paris", "boots", "water", "fire", "leather", "stream", "minutes"]


def texts_of(count):
    chosen = random.Random(7)
    return [" ".join(chosen.choices(WORDS, k=chosen.randint(1, 30))) for _ in range(count)]


def write(path, texts):
    path.write_text("".join(json.dumps({"id": f"d{n}", "text": text}) + "\n" for n, text in enumerate(texts)))
    return path


def read_npy(folder):
    stems = sorted(path.with_suffix("") for path in folder.glob("part-*.npy"))
    ids = [json.loads(line) for stem in stems for line in stem.with_suffix(".ids.jsonl").read_text().splitlines()]
    return ids, np.concatenate([np.load(stem.with_suffix(".npy")) for stem in stems])


def contents(folder):
    """Digests of all files but the lock."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.name != ".lock"
    }


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "texts.jsonl", texts_of(500))


def job(source, to, embedder, **settings):
    return embed_file(
        source, to=to, embedder=embedder, **{"id_column": "id", "format": "npy", "shard_rows": 60} | settings
    )


@pytest.mark.parametrize("storage_type", ["float32", "float16", "int8", "binary"])
def test_vectors_are_those_of_embed_in_the_order_of_the_rows(tmp_path, source, bundled_embedder, storage_type):
    report = job(source, tmp_path / "out", bundled_embedder, storage_type=storage_type, dimensions=64)
    embeddings = bundled_embedder.embed(texts_of(500), task="retrieval.passage", dimensions=64)
    ids, codes = read_npy(tmp_path / "out")
    assert ids == [f"d{n}" for n in range(500)]
    assert codes.dtype == quantize(embeddings.vectors, storage_type).dtype
    if storage_type == "float32":
        np.testing.assert_allclose(codes, embeddings.vectors, atol=1e-6)
    else:
        different = codes != quantize(embeddings.vectors, storage_type)
        assert different.mean() < 1e-3  # what rounding may move over an edge
    assert (report.rows, report.failures, report.shards, report.resumed) == (500, 0, 9, 0)
    assert report.tokens == embeddings.usage.prompt_tokens
    assert report.tokens_per_second > 0


@pytest.mark.parametrize(
    ("storage_type", "kind"), [("float32", "float"), ("float16", "halffloat"), ("int8", "int8"), ("binary", "int8")]
)
def test_parquet_in_and_out(tmp_path, source, bundled_embedder, storage_type, kind):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "texts.parquet")
    job(source, tmp_path / "npy", bundled_embedder, storage_type=storage_type)
    job(tmp_path / "texts.parquet", tmp_path / "parquet", bundled_embedder, format="parquet", storage_type=storage_type)
    tables = [pq.read_table(path) for path in sorted((tmp_path / "parquet").glob("*.parquet"))]
    ids, codes = read_npy(tmp_path / "npy")
    assert [table.num_rows for table in tables] == [60] * 8 + [20]
    assert [name for table in tables for name in table["id"].to_pylist()] == ids
    assert str(tables[0].schema.field("vector").type) == f"fixed_size_list<element: {kind}>[{codes.shape[1]}]"
    got = np.concatenate([np.stack(table["vector"].to_numpy()) for table in tables])
    np.testing.assert_array_equal(got, codes)


def test_two_processes_make_the_same_files(tmp_path, source, bundled_embedder):
    job(source, tmp_path / "one", bundled_embedder)
    job(source, tmp_path / "two", Embedder(bundled_embedder.name), workers=2)
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one.keys() == two.keys() == {*one}
    ids, vectors = read_npy(tmp_path / "two")
    np.testing.assert_allclose(vectors, read_npy(tmp_path / "one")[1], atol=1e-6)
    assert ids == [f"d{n}" for n in range(500)]


def test_a_finished_job_is_not_done_again(tmp_path, source, bundled_embedder):
    first = job(source, tmp_path / "out", bundled_embedder)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    again = job(source, tmp_path / "out", bundled_embedder)
    assert (again.rows, again.shards, again.resumed, again.tokens) == (first.rows, 9, 9, 0)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}


_SCRIPT = """
import sys
from jina_components import Embedder
from jina_components.scale import embed_file

if __name__ == "__main__":
    embed_file(
        sys.argv[1], to=sys.argv[2], embedder=Embedder("static-minilm-v1"), id_column="id", format=sys.argv[3],
        shard_rows=40, workers=int(sys.argv[4]), skip_bad=True,
    )
"""


def lines_of(path):
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


@pytest.mark.slow
@pytest.mark.parametrize(("format", "workers", "kills"), [("npy", 1, 3), ("parquet", 2, 2)])
def test_killed_again_and_again_it_makes_the_same_files(tmp_path, format, workers, kills):
    source, script = write(tmp_path / "texts.jsonl", [*texts_of(6000), " ", *texts_of(100)]), tmp_path / "script.py"
    script.write_text(_SCRIPT)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}

    def start(folder):
        return subprocess.Popen(
            [sys.executable, str(script), str(source), str(folder), format, str(workers)], env=environment
        )

    assert start(tmp_path / "whole").wait() == 0
    journal, chosen, killed = tmp_path / "killed" / "journal.jsonl", random.Random(workers), 0
    for _ in range(kills):
        process, until = start(tmp_path / "killed"), lines_of(journal) + chosen.randint(0, 12)
        while process.poll() is None and lines_of(journal) <= until:
            time.sleep(chosen.random() * 0.003)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    assert start(tmp_path / "killed").wait() == 0
    assert killed
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    [failure] = (tmp_path / "killed" / "failures.jsonl").read_text().splitlines()
    assert json.loads(failure)["line"] == 6001


def test_a_shard_whose_file_is_gone_is_made_anew(tmp_path, source, bundled_embedder):
    job(source, tmp_path / "whole", bundled_embedder)
    path = write(tmp_path / "bad.jsonl", texts_of(500))
    path.write_text(path.read_text() + "{\n")
    with pytest.raises(InputError, match="line 501"):
        job(path, tmp_path / "out", bundled_embedder)
    (tmp_path / "out" / "part-00002.npy").unlink()
    report = job(path, tmp_path / "out", bundled_embedder, skip_bad=True)
    assert (report.rows, report.failures, report.resumed) == (500, 1, 7)
    np.testing.assert_array_equal(read_npy(tmp_path / "out")[1], read_npy(tmp_path / "whole")[1])


@pytest.mark.parametrize(
    "changed",
    [
        {"dimensions": 32},
        {"format": "parquet"},
        {"shard_rows": 61},
        {"task": None},
        {"id_column": None},
        {"storage_type": "int8"},
    ],
)
@pytest.mark.parametrize("finished", [False, True])
def test_other_settings_do_not_go_on(tmp_path, source, bundled_embedder, changed, finished):
    if not finished:
        source.write_text(source.read_text() + "{}\n")
        with pytest.raises(InputError, match="line 501"):
            job(source, tmp_path / "out", bundled_embedder)
    else:
        job(source, tmp_path / "out", bundled_embedder)
    with pytest.raises(ConfigError, match=rf"begun with {next(iter(changed))} .*choose another directory"):
        job(source, tmp_path / "out", bundled_embedder, **changed)


def test_another_file_or_model_does_not_go_on(tmp_path, source, static_folder, bundled_embedder):
    job(source, tmp_path / "out", bundled_embedder)
    with pytest.raises(ConfigError, match="begun with embedder"):
        job(source, tmp_path / "out", Embedder(static_folder))
    write(source, texts_of(501))
    with pytest.raises(ConfigError, match="begun with input"):
        job(source, tmp_path / "out", bundled_embedder)


def test_a_model_that_was_exchanged_under_its_name_does_not_go_on(tmp_path, static_folder):
    model = tmp_path / "model"
    shutil.copytree(static_folder, model)
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"] = {"[UNK]": 0, "fox": 1, "dog": 2, "river": 3}  # words of the probe
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    source = write(tmp_path / "texts.jsonl", ["fox dog", "the fox of fire", " "])
    with pytest.raises(InputError, match="line 3"):
        job(source, tmp_path / "out", Embedder(model), shard_rows=1)
    save_file({"embeddings": np.eye(4, dtype=np.float32)[::-1].copy()}, model / "model.safetensors")
    with pytest.raises(ConfigError, match="another model of this name"):
        job(source, tmp_path / "out", Embedder(model), shard_rows=1, skip_bad=True)


def test_bad_rows_stop_the_job_or_are_listed(tmp_path, minilm_folder):
    long = "word " * 600
    lines = [
        {"id": 1, "text": "fine"},
        {"id": 2, "text": long},
        {"id": 3},
        {"id": 4, "text": "good"},
        {"id": 5, "text": long},
    ]
    source = tmp_path / "texts.jsonl"
    source.write_text("\n".join(map(json.dumps, lines)) + "\n{")
    embedder = Embedder(minilm_folder)
    with pytest.raises(
        InputError, match=r"texts\.jsonl, row at line 3: It has no 'text'\. Correct it, or pass skip_bad=True"
    ):
        job(source, tmp_path / "stopped", embedder)
    with pytest.raises(InputError, match=r"row at line 2: its text has 602 tokens"):
        job(source, tmp_path / "again", embedder, shard_rows=2)
    report = job(source, tmp_path / "out", embedder, skip_bad=True, shard_rows=5)
    assert (report.rows, report.failures, report.shards) == (2, 4, 2)
    ids, vectors = read_npy(tmp_path / "out")
    assert ids == ["1", "4"]
    np.testing.assert_allclose(vectors, embedder.embed_documents(["fine", "good"]), atol=1e-6)
    failures = [json.loads(line) for line in (tmp_path / "out" / "failures.jsonl").read_text().splitlines()]
    assert [failure["line"] for failure in failures] == [2, 3, 5, 6]
    assert "602 tokens" in failures[0]["error"]


@pytest.mark.parametrize("format", ["npy", "parquet"])
def test_a_job_that_leaves_everything_out_fails_and_leaves_nothing(tmp_path, source, bundled_embedder, format):
    out, how = tmp_path / "out", {"format": format, "skip_bad": True}
    with pytest.raises(InputError, match=r"none of its 500 rows.*line 1: It has no 'txt'.*Is 'txt' the column"):
        job(source, out, bundled_embedder, column="txt", **how)
    assert not list(out.glob("part-*"))
    assert job(source, out, bundled_embedder, **how).rows == 500


def test_memory_does_not_grow_with_the_file(tmp_path):
    """The peak of a run over ten times the rows is the same, to a fifth."""
    script = _SCRIPT.replace("shard_rows=40", "shard_rows=1000") + (
        "    import resource\n    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    (tmp_path / "script.py").write_text(script)
    peaks = []
    for count in (3000, 30_000):
        source = write(tmp_path / f"{count}.jsonl", texts_of(count))
        command = [sys.executable, str(tmp_path / "script.py"), str(source), str(tmp_path / f"{count}"), "npy", "1"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        peaks.append(int(done.stdout))
    assert peaks[1] < peaks[0] * 1.2


def test_many_bad_rows_leave_the_good_ones_in_order(tmp_path, minilm_folder):
    bad = {0, 1, 7, 8, 9, 20, 39}
    source = write(tmp_path / "texts.jsonl", ["word " * 600 if n in bad else f"text {n}" for n in range(40)])
    embedder = Embedder(minilm_folder)
    report = job(source, tmp_path / "out", embedder, skip_bad=True)
    ids, vectors = read_npy(tmp_path / "out")
    good = [n for n in range(40) if n not in bad]
    assert (report.failures, ids) == (7, [f"d{n}" for n in good])
    np.testing.assert_allclose(vectors, embedder.embed_documents([f"text {n}" for n in good]), atol=1e-6)


def test_a_finished_job_whose_files_are_gone_says_so(tmp_path, source, bundled_embedder):
    job(source, tmp_path / "out", bundled_embedder)
    (tmp_path / "out" / "part-00003.npy").unlink()
    with pytest.raises(IndexFilesError, match=r"part-00003\.npy is gone or has changed"):
        job(source, tmp_path / "out", bundled_embedder)


def test_settings_with_which_nothing_was_made_may_be_corrected(tmp_path, bundled_embedder):
    (tmp_path / "texts.csv").write_text("body\nsea\n")
    with pytest.raises(ConfigError, match="no column 'text'; it has 'body'"):
        job(tmp_path / "texts.csv", tmp_path / "out", bundled_embedder, id_column=None)
    assert job(tmp_path / "texts.csv", tmp_path / "out", bundled_embedder, id_column=None, column="body").rows == 1


def test_wrong_calls(tmp_path, source, bundled_embedder):
    for settings, error, words in (
        ({"format": "csv"}, UnknownNameError, "parquet"),
        ({"storage_type": "int4"}, UnknownNameError, "int8"),
        ({"shard_rows": 0}, InputError, "shard_rows"),
        ({"workers": 0}, InputError, "workers"),
        ({"dimensions": 10_000}, InputError, "dimensions"),
        ({"column": "body"}, InputError, "line 1: It has no 'body'"),
    ):
        with pytest.raises(error, match=words):
            job(source, tmp_path / "out" / words.split()[0], bundled_embedder, **settings)
    with pytest.raises(ModelFilesError):
        job(source, tmp_path / "none", Embedder(tmp_path / "no-model"))
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(InputError, match="holds no rows"):
        job(tmp_path / "empty.jsonl", tmp_path / "of-nothing", bundled_embedder)


def test_a_folder_of_something_else_is_left_alone(tmp_path, source, bundled_embedder):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("Dear")
    with pytest.raises(IndexFilesError, match="not empty and holds no embedding job"):
        job(source, tmp_path / "mine", bundled_embedder)
    (tmp_path / "mine" / "manifest.json").write_text('{"format": 3}')
    with pytest.raises(IndexFilesError, match="no manifest of an embedding job"):
        job(source, tmp_path / "mine", bundled_embedder)


@pytest.mark.parametrize(
    "name",
    ["mine.partial", "poetry.lock", "part-00000.npy", "part-00000.npy.unfinished-mine", "x.unfinished-0123456789ab"],
)
def test_a_folder_of_one_file_of_the_user_is_left_alone(tmp_path, source, bundled_embedder, name):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("Dear")
    with pytest.raises(IndexFilesError, match="not empty and holds no embedding job"):
        job(source, tmp_path / "mine", bundled_embedder)
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {name, ".lock"}
    assert (tmp_path / "mine" / name).read_text() == "Dear"


@pytest.mark.parametrize("finished", [False, True])
def test_a_journal_of_something_else_is_left_alone(tmp_path, source, bundled_embedder, finished):
    out = tmp_path / "out"
    if finished:
        job(source, out, bundled_embedder)
    out.mkdir(exist_ok=True)
    (out / "journal.jsonl").write_text('{"kind":"jina_components.index_sources","version":1}\n')
    (out / "part-00000.npy.unfinished-0123456789ab").write_text("half")
    before = contents(out)
    with pytest.raises(IndexFilesError, match=r"no journal of jina_components\.embedding_job"):
        job(source, out, bundled_embedder)
    assert contents(out) == before


def test_what_a_kill_left_half_written_is_cleared_and_nothing_else(tmp_path, source, bundled_embedder):
    out, path = tmp_path / "out", write(tmp_path / "bad.jsonl", texts_of(100))
    path.write_text(path.read_text() + "{\n")
    with pytest.raises(InputError, match="line 101"):
        job(path, out, bundled_embedder)
    left = {f"{name}.unfinished-0123456789ab" for name in ("part-00001.npy", "part-00001.ids.jsonl", "manifest.json")}
    others = {"notes.txt", "notes.txt.unfinished-0123456789ab", "part-00001.npy.partial"}
    for name in left | others:
        (out / name).write_text("half")
    job(path, out, bundled_embedder, skip_bad=True)
    names = {path.name for path in out.iterdir()}
    assert not names & left
    assert others <= names


def test_report_speed():
    assert EmbeddingReport(1, 0, 1, 0, 30, 2.0).tokens_per_second == 15
    assert EmbeddingReport(1, 0, 1, 1, 0, 0.0).tokens_per_second == 0
