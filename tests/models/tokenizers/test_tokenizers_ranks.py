"""Where GPT-2's ranks come from: folders, tiktoken's cache, the network."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import huggingface_hub.constants
import pytest
from local_server import LocalServer, http, loopback_fetcher

from jina_components.core.background import run_sync
from jina_components.errors import ModelFilesError
from jina_components.models.tokenizers import Tokenizer, ranks
from jina_components.models.tokenizers.ranks import FILES, RankFile, load_ranks


@pytest.fixture(autouse=True)
def nothing_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(ranks.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))


@pytest.fixture
def served(server: LocalServer, tiktoken_cache: Path, monkeypatch: pytest.MonkeyPatch) -> LocalServer:
    """Serves the file that is fetched."""
    first = FILES[0]
    path = next(place for place in ranks._places(first, Path()) if place.parent.name == "data-gym-cache")
    server.routes["/r50k_base.tiktoken"] = [http(body=(tiktoken_cache / path.name).read_bytes())]
    monkeypatch.setattr(
        ranks, "FILES", (RankFile(server.url("/r50k_base.tiktoken"), first.sha256, first.read), *FILES[1:])
    )
    return server


def fetched(folder: Path, **settings: bool) -> dict[bytes, int]:
    fetcher = loopback_fetcher(retries=0)
    try:
        return load_ranks(folder=folder, fetcher=fetcher, **settings)
    finally:
        run_sync(fetcher.aclose())


def test_each_file_gives_the_same_ranks(rank_folder: Path, tiktoken_cache: Path, tmp_path: Path) -> None:
    expected = load_ranks(folder=rank_folder, offline=True)
    assert list(expected.values()) == list(range(50256))
    for file in FILES:
        folder = tmp_path / file.name
        folder.mkdir()
        (place,) = (tiktoken_cache / path.name for path in ranks._places(file, Path()) if path.name != file.name)
        shutil.copy(place, folder / file.name)
        found = load_ranks(folder=folder, offline=True)
        assert {token: rank for token, rank in found.items() if rank < 50256} == expected


@pytest.mark.parametrize("variable", ["TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"])
def test_what_tiktoken_fetched_is_found(variable: str, tiktoken_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, str(tiktoken_cache))
    assert Tokenizer("gpt2", offline=True).count("It rains.") == 3


def test_nothing_is_fetched_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    match = r"offline nothing is downloaded.*r50k_base.tiktoken, p50k_base.tiktoken, vocab.bpe, in .*home.*put https://"
    with pytest.raises(ModelFilesError, match=match):
        Tokenizer("r50k_base", offline=True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelFilesError, match="offline nothing is downloaded"):
        Tokenizer("p50k_edit")
    assert not list(tmp_path.rglob("*.tiktoken"))


def test_the_modern_encodings_need_no_file() -> None:
    assert Tokenizer("cl100k_base", offline=True).count("It rains.") == 3


def test_a_file_is_fetched_once_and_kept(served: LocalServer, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    assert len(fetched(folder)) == 50256
    assert len(load_ranks(folder=folder, offline=True)) == 50256
    assert served.paths() == ["/r50k_base.tiktoken"]
    assert [path.name for path in folder.iterdir()] == ["r50k_base.tiktoken"]


def test_what_is_fetched_must_be_what_was_published(served: LocalServer, tmp_path: Path) -> None:
    served.routes["/r50k_base.tiktoken"] = [http(body=b"IQ== 0\n")]
    with pytest.raises(ModelFilesError, match=r"is broken: its SHA-256 is [0-9a-f]{64}, 306cd27f"):
        fetched(tmp_path)
    served.routes["/r50k_base.tiktoken"] = [http(500)]
    with pytest.raises(ModelFilesError, match=r"cannot be fetched: .*500.*Looked for"):
        fetched(tmp_path)
    assert not list(tmp_path.rglob("*.tiktoken"))


def test_a_broken_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "p50k_base.tiktoken").write_bytes(b"IQ== 0\n")
    with pytest.raises(ModelFilesError, match=r"p50k_base\.tiktoken is broken.*Delete it"):
        load_ranks(folder=tmp_path, offline=True)


def test_a_folder_that_cannot_be_written(served: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelFilesError, match="cannot be written"):
        fetched(tmp_path / "file")


def test_a_tokenizer_may_be_made_in_a_running_loop(served: LocalServer, tmp_path: Path) -> None:
    async def make() -> int:
        return len(fetched(tmp_path))

    assert asyncio.run(make()) == 50256
