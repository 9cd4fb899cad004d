from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub.constants
import pytest

from jina_components.errors import ModelFilesError, UnknownNameError
from jina_components.models.catalog import BY_NAME, DEFAULT_EMBEDDER, MODELS
from jina_components.models.files import bundled_path, find_files


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """An empty cache of the hub client."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def cache_snapshot(cache, hub_id, revision):
    folder = cache / f"models--{hub_id.replace('/', '--')}" / "snapshots" / revision
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


def test_a_bundled_model():
    files = find_files(DEFAULT_EMBEDDER)
    assert files.folder == bundled_path("static-minilm-v1")
    assert (files.folder / "model.safetensors").is_file()
    assert files.spec is BY_NAME[DEFAULT_EMBEDDER]


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
    assert find_files(DEFAULT_EMBEDDER).folder == bundled_path("static-minilm-v1")


@pytest.mark.parametrize("name", ["./missing", "/no/such/folder", "~/no-such-folder", "~nobody-here/model"])
def test_a_path_to_nothing(name):
    with pytest.raises(ModelFilesError, match="not a folder on this machine"):
        find_files(name)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelFilesError, match="not a folder"):
        find_files(str(tmp_path / "model.safetensors"))


def test_an_unknown_name_hints_at_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'all-MiniLM-L6-v2'.*Known: .*static-minilm-v1"):
        find_files("all-MiniLM-L6-v3")


def test_a_catalog_name_takes_its_pinned_revision(hub_cache):
    spec = BY_NAME["all-MiniLM-L6-v2"]
    folder = cache_snapshot(hub_cache, spec.hub_id, spec.revision)
    cache_snapshot(hub_cache, spec.hub_id, "b" * 40)
    for name in (spec.name, spec.hub_id):
        assert find_files(name, offline=True).folder == folder
    assert find_files(spec.name, offline=True, revision="b" * 40).folder.name == "b" * 40
    with pytest.raises(ModelFilesError, match=f"{spec.hub_id}.*revision {'c' * 40}"):
        find_files(spec.name, offline=True, revision="c" * 40)


@pytest.mark.parametrize("name", ["owner/name", "all-MiniLM-L6-v2", "a--b/.git"])
def test_offline_what_is_not_in_the_cache_is_an_error(hub_cache, name):
    with pytest.raises(ModelFilesError, match="neither in the local cache.*or pass a local folder"):
        find_files(name, offline=True)


FIND = "import sys; from jina_components.models.files import find_files; print(find_files(sys.argv[1]).folder)"


def find_in_child(name, endpoint, home):
    """A process that may ask the hub, which is at `endpoint`."""
    return subprocess.run(
        [sys.executable, "-c", FIND, name],
        capture_output=True, text=True, timeout=60, check=False,
        env={"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "PYTHONPATH": ":".join(sys.path), "PATH": ""},
    )  # fmt: skip


def test_a_hub_that_cannot_be_reached(tmp_path):
    done = find_in_child("owner/name", "http://127.0.0.1:9", tmp_path)
    assert "ModelFilesError: Model 'owner/name' (revision main) is neither in the local cache" in done.stderr


COMMIT = "d" * 40
REMOTE = {"config.json": b"{}", "model.safetensors": b"weights", "pytorch_model.bin": b"pickle", "run.py": b""}


class Hub(BaseHTTPRequestHandler):
    """The few answers of the hub that a download needs."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith("/api/models/owner/name/revision/"):
            names = [{"rfilename": name} for name in REMOTE]
            self.answer(json.dumps({"id": "owner/name", "sha": COMMIT, "siblings": names}).encode())
        elif path.startswith("/api/models/owner/name/tree/"):
            self.answer(json.dumps([self.entry(name) for name in REMOTE]).encode())
        elif path.startswith("/owner/name/resolve/") and path.rsplit("/", 1)[-1] in REMOTE:
            self.answer(REMOTE[path.rsplit("/", 1)[-1]])
        else:
            self.send_error(404)

    def entry(self, name):
        content = REMOTE[name]
        return {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}

    def answer(self, content):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_leaves_pickles_and_code_behind(tmp_path, hub):
    done = find_in_child("owner/name", hub, tmp_path)
    assert done.returncode == 0, done.stderr
    folder = next(tmp_path.glob("hub/*/snapshots/*"))
    assert done.stdout.strip() == str(folder)
    assert folder.name == COMMIT
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_a_model_the_hub_does_not_have(tmp_path, hub):
    done = find_in_child("owner/other", hub, tmp_path)
    assert "ModelFilesError: Model 'owner/other'" in done.stderr


# --- the catalog itself ------------------------------------------------------------------------------------------


def test_names_and_aliases_are_unique():
    names = [name for spec in MODELS for name in (spec.name, spec.hub_id, *spec.aliases) if name]
    assert len(names) == len(set(names)) == len(BY_NAME)


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_every_row_says_where_its_files_are(spec):
    assert bool(spec.folder) != bool(spec.hub_id)
    assert bool(spec.hub_id) == bool(len(spec.revision) == 40)
    assert spec.context > 0
    assert spec.license
    assert bool(spec.score) == (spec.kind != "embedding") == (not spec.dimensions)
    if spec.folder:
        assert (bundled_path(spec.folder) / "model.safetensors").is_file()
