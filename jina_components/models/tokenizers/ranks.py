"""The ranks of GPT-2's byte pairs: found on this machine or fetched, and compared with their published SHA-256."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from jina_components.core.background import run_sync
from jina_components.core.durable import write_file
from jina_components.errors import ModelFilesError, WebError

if TYPE_CHECKING:
    from jina_components.net import SupportsFetch

_MAX_BYTES = 10_000_000


def _read_ranks(data: bytes) -> dict[bytes, int]:
    """Of tiktoken's own form: lines of a token in base64 and its rank."""
    rows = (line.split() for line in data.splitlines())
    return {base64.b64decode(token): int(rank) for token, rank in rows}


def _read_merges(data: bytes) -> dict[bytes, int]:
    """Of GPT-2's form: behind a head line, pairs in the order of their ranks, bytes written as characters."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    order = [*printable, *(byte for byte in range(0x100) if byte not in printable)]
    spelled = {chr(byte if byte in printable else 0x100 + index - len(printable)): byte
               for index, byte in enumerate(order)}  # fmt: skip
    merges = data.decode().splitlines()[1:]
    tokens = [bytes([byte]) for byte in order]
    tokens += (bytes(spelled[character] for character in merge.replace(" ", "")) for merge in merges)
    return {token: rank for rank, token in enumerate(tokens)}


@dataclass(frozen=True, slots=True)
class RankFile:
    """A file that OpenAI publishes, at an address and of a SHA-256 that tiktoken names.

    Attributes:
        url: Where it is had.
        sha256: Of its bytes.
        read: Gives the rank of each token.
    """

    url: str
    sha256: str
    read: Callable[[bytes], dict[bytes, int]]

    @property
    def name(self) -> str:
        """Its name in a folder of ours."""
        return PurePosixPath(self.url).name


# Each holds GPT-2's ranks, p50k_base.tiktoken some more; the first is fetched if none is found.
_HOST = "https://openaipublic.blob.core.windows.net"
FILES = (
    RankFile(
        f"{_HOST}/encodings/r50k_base.tiktoken",
        "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
        _read_ranks,
    ),
    RankFile(
        f"{_HOST}/encodings/p50k_base.tiktoken",
        "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
        _read_ranks,
    ),
    RankFile(
        f"{_HOST}/gpt-2/encodings/main/vocab.bpe",
        "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
        _read_merges,
    ),
)


def load_ranks(
    *, folder: Path | None = None, offline: bool = False, fetcher: SupportsFetch | None = None
) -> dict[bytes, int]:
    """The rank of each token of GPT-2, which is its id, and maybe of some more from 50257.

    Looked for are the files of `FILES`, by name in `folder` and then where tiktoken keeps them (`TIKTOKEN_CACHE_DIR`,
    `DATA_GYM_CACHE_DIR`, or `data-gym-cache` in the folder of temporary files). If there is none, the first of them
    is fetched into `folder`.

    Args:
        folder: None for `cache_folder()`.
        offline: Fetch nothing (the environment variable `HF_HUB_OFFLINE=1` does the same).
        fetcher: Fetches the file; None for one of its own.

    Raises:
        ModelFilesError: none is there and none can be had, or one is broken.
    """
    folder = folder or cache_folder()
    for file in FILES:
        for path in _places(file, folder):
            if path.is_file():
                return file.read(_checked(path.read_bytes(), file, str(path)))
    wanted = FILES[0]
    if offline or _is_hub_offline():
        raise ModelFilesError(f"The ranks of GPT-2's tokens are not on this machine, and offline nothing is downloaded."
                              f" {_remedy(wanted, folder)}")  # fmt: skip
    return wanted.read(_download(wanted, folder, fetcher))


def cache_folder() -> Path:
    """Where fetched files are kept: `jina_components/tokenizers` in `$XDG_CACHE_HOME`, or else in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jina_components" / "tokenizers"


def _is_hub_offline() -> bool:
    from huggingface_hub import constants

    return constants.HF_HUB_OFFLINE


def _places(file: RankFile, folder: Path) -> Iterator[Path]:
    yield folder / file.name
    key = hashlib.sha1(file.url.encode(), usedforsecurity=False).hexdigest()
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if cache := os.environ.get(variable):
            yield Path(cache, key)
    yield Path(tempfile.gettempdir(), "data-gym-cache", key)


def _download(file: RankFile, folder: Path, fetcher: SupportsFetch | None) -> bytes:
    try:
        data = _checked(run_sync(_fetch(file.url, fetcher)), file, file.url)
    except WebError as error:
        raise ModelFilesError(f"The ranks of GPT-2's tokens are not on this machine and cannot be fetched: {error} "
                              f"{_remedy(file, folder)}") from error  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_file(folder / file.name, lambda stream: stream.write(data))
    except OSError as error:
        raise ModelFilesError(
            f"{folder} cannot be written: {error}. Set XDG_CACHE_HOME to a folder with room that can be written."
        ) from error
    return data


async def _fetch(url: str, fetcher: SupportsFetch | None) -> bytes:
    from jina_components.net import Fetcher  # its HTTP client takes longer to import than most texts to tokenize

    async with Fetcher(max_bytes=_MAX_BYTES) if fetcher is None else nullcontext(fetcher) as opened:
        return (await opened.fetch(url)).content


def _checked(data: bytes, file: RankFile, source: str) -> bytes:
    digest = hashlib.sha256(data).hexdigest()
    if digest != file.sha256:
        raise ModelFilesError(
            f"{source} is broken: its SHA-256 is {digest}, {file.sha256} is published. Delete it and load again."
        )
    return data


def _remedy(file: RankFile, folder: Path) -> str:
    names = ", ".join(other.name for other in FILES)
    return (
        f"Looked for: {names}, in {folder} and in tiktoken's cache. Load the tokenizer once with the network, or put "
        f"{file.url} into that folder."
    )
