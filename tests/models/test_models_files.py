from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import huggingface_hub.constants
import pytest
from hub_server import COMMIT, sha256

from jina_components.errors import ModelFilesError, UnknownNameError
from jina_components.models.catalog import BY_NAME, DEFAULT_EMBEDDER, MODELS
from jina_components.models.files import bundled_path, find_files

WEIGHTS = bytes(range(256)) * 40
MODEL = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": WEIGHTS}


def cache_snapshot(cache, hub_id, revision, names=("config.json", "model.safetensors")):
    """What another tool has downloaded."""
    folder = cache / f"models--{hub_id.replace('/', '--')}" / "snapshots" / revision
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("{}")
    return folder


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_bundled_model():
    files = find_files(DEFAULT_EMBEDDER)
    assert files.folder == bundled_path(BY_NAME[DEFAULT_EMBEDDER].folder)
    assert (files.folder / "model.safetensors").is_file()
    assert files.spec is BY_NAME[DEFAULT_EMBEDDER]
    assert files.revision == ""


def test_a_folder_on_disk(tmp_path, monkeypatch):
    assert find_files(str(tmp_path)).folder == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model").mkdir()
    assert find_files("~/model").folder == tmp_path / "model"


def test_a_folder_wins_over_a_hub_id_of_the_same_spelling(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner/name").mkdir(parents=True)
    assert find_files("owner/name").folder.samefile(tmp_path / "owner/name")


def test_no_folder_wins_over_a_bundled_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / DEFAULT_EMBEDDER).mkdir()
    assert find_files(DEFAULT_EMBEDDER).folder == bundled_path(BY_NAME[DEFAULT_EMBEDDER].folder)


@pytest.mark.parametrize("name", ["./missing", "/no/such/folder", "~/no-such-folder", "~nobody-here/model"])
def test_a_path_to_nothing(name):
    with pytest.raises(ModelFilesError, match="not a folder on this machine"):
        find_files(name)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelFilesError, match="not a folder"):
        find_files(str(tmp_path / "model.safetensors"))


def test_an_unknown_name_hints_at_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'all-MiniLM-L6-v2'") as caught:
        find_files("all-MiniLM-L6-v3")
    told = str(caught.value)
    assert told.endswith("`jina-components models` lists all.")
    assert "Also near: all-MiniLM-L12-v2" in told
    assert "sentence-transformers/" not in told
    assert sum(spec.name in told for spec in MODELS) <= 5


def test_a_catalog_name_takes_its_pinned_revision(hub_cache):
    spec = BY_NAME["all-MiniLM-L6-v2"]
    folder = cache_snapshot(hub_cache, spec.hub_id, spec.revision)
    cache_snapshot(hub_cache, spec.hub_id, "b" * 40)
    for name in (spec.name, spec.hub_id):
        assert find_files(name, offline=True).folder == folder
    assert find_files(spec.name, offline=True, revision="b" * 40).folder.name == "b" * 40
    assert find_files(spec.name, offline=True).revision == spec.revision
    with pytest.raises(ModelFilesError, match=f"{spec.hub_id}.*revision {'c' * 40}"):
        find_files(spec.name, offline=True, revision="c" * 40)


# --- offline -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["owner/name", "all-MiniLM-L6-v2", "a--b/.git"])
def test_offline_what_is_not_in_the_cache_is_an_error(hub_cache, name):
    with pytest.raises(ModelFilesError, match="not complete in the local cache.*every file missing.*Load it once with"):
        find_files(name, offline=True)


def test_offline_no_request_is_made(hub, monkeypatch):
    folder = find_files("owner/name").folder
    hub.requests.clear()
    assert find_files("owner/name", offline=True).folder == folder
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert find_files("owner/name").folder == folder
    with pytest.raises(ModelFilesError, match="offline nothing is downloaded"):
        find_files("owner/other")
    assert not hub.requests


def test_offline_what_is_missing_is_named(hub):
    folder = find_files("owner/name").folder
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelFilesError, match=r"\): tokenizer.json missing|: tokenizer.json missing"):
        find_files("owner/name", offline=True)
    assert content(find_files("owner/name").folder) == MODEL


def test_offline_a_snapshot_of_another_tool(hub_cache):
    folder = cache_snapshot(hub_cache, "owner/name", COMMIT)
    assert find_files("owner/name", revision=COMMIT, offline=True).folder == folder
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelFilesError, match=r"\*\.safetensors missing"):
        find_files("owner/name", revision=COMMIT, offline=True)


# --- downloads ---------------------------------------------------------------------------------------------------


def test_only_what_is_needed_is_fetched(hub):
    rows = [{"type": "sentence_transformers.models.Transformer", "path": ""}, {"type": "x.Dense", "path": "2_Dense"}]
    needed = MODEL | {
        "modules.json": json.dumps(rows).encode(),
        "2_Dense/config.json": b"{}",
        "2_Dense/model.safetensors": b"dense",
        "vocab.txt": b"a",
        "sentencepiece.bpe.model": b"b",
    }
    left = ["pytorch_model.bin", "run.py", "README.md", "onnx/model.onnx", "onnx/config.json", "tf_model.h5",
            "openvino/model.safetensors", "consolidated.safetensors", "2_Dense/pytorch_model.bin"]  # fmt: skip
    hub.files = needed | dict.fromkeys(left, b"unwanted")
    assert content(find_files("owner/name").folder) == needed


ADAPTERS = {
    "jina-embeddings-v4": ["adapters/adapter_config.json", "adapters/adapter_model.safetensors"],
    "jina-embeddings-v5": [
        f"adapters/{task}/adapter_{file}"
        for task in ("retrieval", "text-matching")
        for file in ("config.json", "model.safetensors")
    ],
}


@pytest.mark.parametrize("names", ADAPTERS.values(), ids=ADAPTERS.keys())
def test_adapters_come_with_the_weights_they_are_for(hub, names):
    needed = MODEL | {name: name.encode() for name in names}
    left = ["adapters/README.md", "adapters/retrieval/adapter_model.bin", "adapters/a/b/adapter_config.json",
            "old/adapter_model.safetensors", "adapters/retrieval/model.safetensors"]  # fmt: skip
    hub.files = needed | dict.fromkeys(left, b"unwanted")
    assert content(find_files("owner/name").folder) == needed
    assert content(find_files("owner/name", offline=True).folder) == needed
    hub.requests.clear()
    assert content(find_files("owner/name", revision=COMMIT).folder) == needed
    assert not hub.requests


def test_a_broken_adapter_is_deleted_and_named(hub):
    name = "adapters/retrieval/adapter_model.safetensors"
    hub.files[name] = b"adapter"
    hub.broken = {name}
    with pytest.raises(ModelFilesError, match=f"{name} of models--owner--name is broken"):
        find_files("owner/name")


def test_adapters_alone_are_no_model(hub):
    hub.files = {"config.json": b"{}", "pytorch_model.bin": b"pickle", "adapters/adapter_model.safetensors": b"a"}
    with pytest.raises(ModelFilesError, match=r"only pickled weights \(pytorch_model.bin\)"):
        find_files("owner/name")


def test_settings_of_other_kinds_of_models_are_fetched(hub):
    names = ["preprocessor_config.json", "generation_config.json", "chat_template.jinja", "artifact.metadata"]
    hub.files |= dict.fromkeys(names, b"{}")
    assert content(find_files("owner/name").folder) == hub.files


def test_the_commit_of_a_branch_is_known_and_logged(hub, caplog):
    with caplog.at_level(logging.INFO, "jina_components"):
        files = find_files("owner/name")
    assert files.revision == files.folder.name == COMMIT
    assert f"main is commit {COMMIT}; pass revision='{COMMIT}' to pin it" in caplog.text


def test_a_complete_commit_needs_no_hub(hub):
    find_files("owner/name", revision=COMMIT)
    hub.requests.clear()
    assert content(find_files("owner/name", revision=COMMIT).folder) == MODEL
    assert not hub.requests


def test_a_branch_that_moved(hub):
    find_files("owner/name")
    hub.commit, hub.files = "e" * 40, MODEL | {"config.json": b'{"new": 1}'}
    files = find_files("owner/name")
    assert files.revision == "e" * 40
    assert content(files.folder) == hub.files
    assert len(hub.fetched("model.safetensors")) == 1  # the same content needs no second download


def test_a_connection_cut_midway(hub):
    hub.cut_after = 4000
    assert content(find_files("owner/name").folder) == MODEL
    assert hub.fetched("model.safetensors") == [None, "bytes=4000-"]


def test_threads_share_a_download(hub):
    with ThreadPoolExecutor(4) as threads:
        folders = list(threads.map(lambda _: find_files("owner/name").folder, range(4)))
    assert [content(folder) for folder in folders] == [MODEL] * 4
    assert len(hub.fetched("model.safetensors")) == 1


def test_a_token_is_shown_to_the_hub_alone(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    find_files("owner/name")
    assert any("resolve" in path for path in hub.trusted)
    assert not any("content" in path for path in hub.trusted)


FIND = "import sys; from jina_components.models.files import find_files; print(find_files(sys.argv[1]).folder)"


def start_child(name, endpoint, home):
    """Another process, which may ask the hub at `endpoint`."""
    return subprocess.Popen(
        [sys.executable, "-c", FIND, name],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "PYTHONPATH": ":".join(sys.path), "PATH": ""},
    )  # fmt: skip


def test_a_download_whose_process_was_killed_goes_on(hub, tmp_path, monkeypatch):
    hub.files["model.safetensors"] = bytes(range(256)) * 80_000  # the client writes 10 MB at a time
    hub.stall_after = 16_000_000
    child = start_child("owner/name", hub.url, tmp_path)
    assert hub.stalled.wait(60)
    part = wait_for_size(next(tmp_path.glob("hub/models--owner--name/*/*.part")), 10_000_000)
    child.kill()
    child.communicate()
    hub.stall_after = None
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    assert content(find_files("owner/name").folder) == hub.files
    assert hub.fetched("model.safetensors") == [None, f"bytes={part}-"]


def wait_for_size(path, size):
    deadline = time.monotonic() + 30
    while path.stat().st_size < size:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return path.stat().st_size


def test_graphs_come_with_the_weights_they_are_for(hub):
    hub.files |= {"model.onnx": b"graph", "model_int8.onnx": b"another", "onnx/model.onnx": b"old", "extra.onnx": b""}
    assert content(find_files("owner/name").folder) == MODEL
    hub.files["graphs.json"] = b"{}"
    hub.commit = "e" * 40
    wanted = {**MODEL, **{name: hub.files[name] for name in ("graphs.json", "model.onnx", "model_int8.onnx")}}
    assert content(find_files("owner/name", revision="e" * 40).folder) == wanted


def test_a_broken_graph_is_deleted_and_named(hub):
    hub.files |= {"graphs.json": b"{}", "model.onnx": b"graph", "model_int8.onnx": b"another"}
    hub.broken = {"model_int8.onnx"}
    with pytest.raises(ModelFilesError, match="model_int8.onnx of models--owner--name is broken"):
        find_files("owner/name")


def test_a_partial_file_that_cannot_be_gone_on_with(hub, hub_cache):
    part = hub_cache / "models--owner--name/jina-components-3" / f"{sha256(WEIGHTS)}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(WEIGHTS + b"more")
    assert content(find_files("owner/name").folder) == MODEL


# --- verification ------------------------------------------------------------------------------------------------


def test_a_broken_download_is_deleted_and_named(hub):
    hub.broken = {"model.safetensors"}
    with pytest.raises(ModelFilesError, match="model.safetensors of models--owner--name is broken: its SHA-256"):
        find_files("owner/name")
    hub.broken = set()
    assert content(find_files("owner/name").folder) == MODEL
    assert hub.fetched("model.safetensors") == [None, None]


def test_weights_that_another_tool_left_broken(hub):
    files = find_files("owner/name", revision=COMMIT)
    blob = (files.folder / "model.safetensors").resolve()
    blob.write_bytes(bytes(len(WEIGHTS)))
    with pytest.raises(ModelFilesError, match="model.safetensors .* is broken"):
        find_files("owner/name", revision=COMMIT, offline=True)
    assert not blob.exists()
    assert content(find_files("owner/name", revision=COMMIT).folder) == MODEL


def test_what_was_verified_is_not_read_again(hub):
    blob = (find_files("owner/name").folder / "model.safetensors").resolve()
    stat = blob.stat()
    blob.write_bytes(bytes(len(WEIGHTS)))
    os.utime(blob, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # of the same size and age, which nothing but a test does
    find_files("owner/name", offline=True)
    os.utime(blob, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    with pytest.raises(ModelFilesError, match="is broken"):
        find_files("owner/name", offline=True)


def test_shards(hub):
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    hub.files = {
        "config.json": b"{}",
        "model.safetensors.index.json": json.dumps(index).encode(),
        "model-00001-of-00002.safetensors": b"one",
    }
    with pytest.raises(ModelFilesError, match="names model-00002-of-00002.safetensors, not there"):
        find_files("owner/name")
    hub.commit, hub.files = "e" * 40, hub.files | {"model-00002-of-00002.safetensors": b"two"}
    assert content(find_files("owner/name").folder) == hub.files


def test_pickled_weights_are_not_even_fetched(hub):
    hub.files = {"config.json": b"{}", "pytorch_model.bin": b"pickle"}
    with pytest.raises(ModelFilesError, match=r"only pickled weights \(pytorch_model.bin\).*Convert them"):
        find_files("owner/name")
    assert [method for method, path, _ in hub.requests if "resolve" in path] == []


def test_a_path_that_leads_out_of_the_folder(hub):
    hub.files["modules.json"] = b'[{"type": "x.Dense", "path": "../../other"}]'
    with pytest.raises(ModelFilesError, match="leads out of the model's folder"):
        find_files("owner/name")


# --- what the hub refuses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "revision", "setting", "message"),
    [
        ("owner/other", None, {}, "'owner/other' .revision main. is not on the hub, or is private"),
        ("owner/name", "v9", {}, "revision v9. has no such revision"),
        ("owner/name", None, {"gated": True}, "is gated: accept its terms"),
        ("owner/name", None, {"error": (403, "GatedRepo")}, "is gated: accept its terms"),
        ("owner/name", None, {"error": (401, "RepoNotFound")}, "is not on the hub, or is private"),
        ("owner/name", None, {"error": (403, "")}, "status 403"),
        ("owner/name", None, {"error": (404, "")}, "status 404"),
        ("a--b/.git", None, {}, "cannot be a name on the hub"),
    ],
)
def test_what_the_hub_refuses(hub, name, revision, setting, message):
    for key, value in setting.items():
        setattr(hub, key, value)
    with pytest.raises(ModelFilesError, match=message):
        find_files(name, revision=revision)


def test_a_hub_that_cannot_be_reached(tmp_path):
    child = start_child("owner/name", "http://127.0.0.1:9", tmp_path)
    _, errors = child.communicate(timeout=60)
    assert "ModelFilesError: Model 'owner/name' (revision main) cannot be had, the hub cannot be reached (" in errors


def test_a_hub_that_cannot_be_reached_while_the_cache_holds_the_branch(hub, monkeypatch):
    files = find_files("owner/name")
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelFilesError, match="cannot be reached.*offline=True to use what the cache holds"):
        find_files("owner/name")
    assert find_files("owner/name", revision=COMMIT).folder == files.folder
