"""`jina-components serve`, in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from local_server import LocalServer, http
from served_process import serving

from jina_components.models.catalog import BY_NAME, DEFAULT_EMBEDDER, DEFAULT_RERANKER
from jina_components.models.files import on_disk
from jina_components.service import ServiceSettings


def stop(process: Any) -> int:
    process.running.terminate()
    return process.running.wait(60)


def test_it_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    with serving(tmp_path, "--alias", "mine=static-minilm-v1", "--warm-up", "mine", "--stand-in") as process:
        with httpx.Client(base_url=process.url, timeout=60) as client:
            while client.get("/ready").status_code != 200:
                time.sleep(0.05)
            own = client.post("/v1/embeddings", json={"model": "mine", "input": "tides"})
            stood_in = client.post("/v1/embeddings", json={"model": "text-embedding-3-small", "input": "tides"})
            ranked = client.post("/v1/rerank", json={"model": "rerank-v3.5", "query": "tides", "documents": ["moon"]})
            models = client.get("/metrics").text
        assert stop(process) == 0
    assert [own.status_code, stood_in.status_code, ranked.status_code] == [200, 200, 200]
    assert len(own.json()["data"][0]["embedding"]) == BY_NAME["static-minilm-v1"].dimensions
    assert "x-served-by" not in own.headers
    assert stood_in.headers["x-served-by"] == DEFAULT_EMBEDDER
    assert ranked.headers["x-served-by"] == DEFAULT_RERANKER
    assert 'jina_models_in_memory{kind="embedder",model="static-minilm-v1"} 1.0' in models
    assert [line["status"] for line in process.requests()][-4:] == [200] * 4


def test_people_are_told_where_it_is_and_how_to_call_it(tmp_path: Path) -> None:
    socket_path = tmp_path / "s"
    log = tmp_path / "log"
    command = [sys.executable, "-m", "jina_components", "serve", "--log-format", "text", "--no-warm-up"]
    command += ["--uds", str(socket_path), "--data", str(tmp_path / "data")]
    with log.open("wb") as written, subprocess.Popen(command, stderr=written) as running:
        try:
            while "curl" not in log.read_text():
                assert running.poll() is None, log.read_text()
                time.sleep(0.05)
            with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket_path)), base_url="http://here") as client:
                assert client.get("/live").json() == {"status": "ok"}
            running.terminate()
            assert running.wait(60) == 0
        finally:
            running.kill()
    told = log.read_text()
    assert f"listens on unix:{socket_path}" in told
    assert f"curl --unix-socket {socket_path} http://localhost/v1/embeddings --json" in told
    assert "method=GET route=/live status=200" in told
    assert not socket_path.exists()


def test_spans_go_where_the_environment_says(tmp_path: Path, server: LocalServer) -> None:
    server.routes["/v1/traces"] = [http(200)]
    there = {"OTEL_EXPORTER_OTLP_ENDPOINT": server.url(""), "OTEL_SERVICE_NAME": "tides"}
    with serving(tmp_path, "--no-warm-up", env=there) as process:
        answer = httpx.get(f"{process.url}/live", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
        assert stop(process) == 0
    sent = b"".join(request.body for request in server.received)
    for told in (b"tides", b"/live", answer.headers["x-request-id"].encode(), bytes.fromhex("ab" * 16)):
        assert told in sent


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--host", "0.0.0.0"], "Without keys, everybody who reaches 0.0.0.0 could use the service"),
        (["--warm-up", "no-such-model"], "Model 'no-such-model' is not known here"),
        (
            ["--only", "small-embeding-v1"],
            "--only: Unknown model 'small-embeding-v1'. Did you mean 'small-embedding-v1'",
        ),
        (["--only", "jina-deepsearch-v1"], "--only: 'jina-deepsearch-v1' is always served"),
        (["--port", "70000"], "There is no port 70000: ports are 0 to 65535"),
        (["--port", "-1"], "There is no port -1"),
        (["--alias", "ours=/no/such/folder"], "--alias ours=/no/such/folder: Model '/no/such/folder' is not a folder"),
        (["--alias", "ours=./v3"], "--alias ours=./v3: Model './v3' is not a folder"),
        (["--alias", "ours=small-embeding-v1"], "Did you mean 'small-embedding-v1'?"),
        (["--alias", "ours=ReaderLM-v2"], "'ReaderLM-v2' is generative, which does not fit"),
        (["--embedder", "nope"], "--embedder: Unknown model"),
        (["--embedder", "small-reranker-v1"], "'small-reranker-v1' is blend, which does not fit"),
        (["--reranker", "nope"], "--reranker: Unknown model"),
        (
            ["--reranker", "static-minilm-v1"],
            "is embedding, which does not fit; 'small-reranker-v1' does.",
        ),
        (["--data", "file"], "--data: file is no folder that can be written: File exists."),
        (["--data", "file/inside"], "--data: file/inside is no folder that can be written: Not a directory."),
        (["--tls-key", "key.pem"], "pass --tls-cert too"),
        (["--tls-cert", "no-such.pem"], "The certificate no-such.pem and its key cannot be used"),
        (["--max-in-flight", "0"], "limits.max_in_flight must be positive"),
        (["--search", "brave"], "BRAVE_API_KEY"),
        (["--chat-url", "http://127.0.0.1:9"], "--chat-model"),
        (["--index", "no-such-index"], "no-such-index"),
        (["--allow-network", "home"], "--allow-network takes CIDR networks"),
    ],
)
def test_what_cannot_be_served_is_told(
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    told: str,
) -> None:
    monkeypatch.delenv("BRAVE_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    monkeypatch.setattr("jina_components.service.server.Server.run", lambda *_, **__: pytest.fail("it is served"))
    code, _, error = run("serve", "--data", tmp_path / "data", "--port", "0", *arguments)
    assert code == 2
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_data_that_cannot_be_written_is_told(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        code, _, error = run("serve", "--data", tmp_path, "--port", "0")
    finally:
        tmp_path.chmod(0o700)
    assert code == 2
    assert error == f"jina-components: --data: {tmp_path} is no folder that can be written: Permission denied.\n"


def test_what_can_be_served_is(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[ServiceSettings] = []
    monkeypatch.setattr("jina_components.service.server.serve", lambda app, **_: made.append(app.state.settings))
    (tmp_path / "model").mkdir()
    targets = [str(tmp_path / "model"), "someone/some-model", "jinaai/jina-reranker-v3", "static-minilm-v1"]
    aliases = [f"--alias=a{place}={target}" for place, target in enumerate(targets)]
    code, _, error = run("serve", "--data", tmp_path / "deep" / "down", *aliases, "--only", "a3", "--truncate")
    assert (code, error) == (0, "")
    assert (tmp_path / "deep" / "down").is_dir()
    [settings] = made
    assert settings.aliases == {f"a{place}": target for place, target in enumerate(targets)}
    assert (settings.only, settings.warm_up, settings.truncate) == (("a3",), ("a3",), True)


def test_the_help_tells_the_limits(run: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("serve", "--help")
    told = " ".join(capsys.readouterr().out.split())
    for default in ("(default: 512)", f"(default: {32 * 1024 * 1024}, 32 MiB)", "(default: 120 s)"):
        assert default in told


def test_an_alias_has_two_sides(run: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("serve", "--alias", "mine")
    assert "'mine' is no alias such as" in capsys.readouterr().err


def test_a_port_in_use_is_told(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, error = run("serve", "--data", tmp_path, "--port", port)
    assert code == 2
    assert f"Cannot listen on port {port}" in error


def test_a_model_that_cannot_be_loaded_ends_it(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    arguments = ["--alias", f"mine={tmp_path / 'broken'}", "--warm-up", "mine"]
    command = [sys.executable, "-m", "jina_components", "serve", "--port", "0", "--data", str(tmp_path / "data")]
    ended = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert "Warming up failed" in ended.stderr
    assert "Model 'mine' cannot be loaded" in ended.stderr.splitlines()[-1]


def test_without_its_extra_it_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['uvicorn'] = None; from jina_components.cli import main; sys.exit(main(['serve']))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "This needs uvicorn: pip install 'jina-components[service]'." in ended.stderr


def test_other_commands_load_nothing_of_it() -> None:
    code = (
        "import sys; from jina_components.cli.main import build_parser; build_parser(); "
        "print({'fastapi', 'uvicorn', 'starlette', 'opentelemetry', 'prometheus_client'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "set()"


def test_stand_ins_are_models_that_are_not_here() -> None:
    from jina_components.service.stand_ins import stand_ins

    made = stand_ins()
    assert {"jina-embeddings-v3", "jina-reranker-v2-base-multilingual", "jina-colbert-v2", "embed-v4.0"} <= set(made)
    assert all(BY_NAME[target].bundled for target in made.values())
    assert not [name for name in made if name in BY_NAME and on_disk(BY_NAME[name])]


@pytest.mark.parametrize("variable", ["/elsewhere", None])
def test_data_is_kept_where_programs_keep_it(monkeypatch: pytest.MonkeyPatch, variable: str | None) -> None:
    from jina_components.cli.common import _data_folder

    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    if variable is not None:
        monkeypatch.setenv("XDG_DATA_HOME", variable)
    folder = variable or "/home/somebody/.local/share"
    assert _data_folder() == Path(folder) / "jina_components"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--keys", "--database", "postgresql://nobody:secret@127.0.0.1:1/none"), "The database postgresql"),
        (("--keys", "--limits", "redis://:secret@127.0.0.1:1"), "Redis at 127.0.0.1:1"),
        (("--limits", "redis://127.0.0.1:1"), "--limits is about keys: pass --keys too."),
        (("--tiers", "tiers.toml"), "--tiers is about keys: pass --keys too."),
        (("--replicas", "2"), "--replicas are Ray's: pass --ray too."),
    ],
)
def test_what_it_cannot_share_ends_it_in_a_line(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    command = [sys.executable, "-m", "jina_components", "serve", "--port", "0", "--no-warm-up", "--data", str(tmp_path)]
    ended = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert f"jina-components: {told}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "secret" not in ended.stderr
