"""A shard of an embedding job: rows in, a Parquet file out, or a .npy of vectors beside a .jsonl of ids."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np

from jina_components.core.arrays import write_array
from jina_components.core.quantization import quantize
from jina_components.embedder import Embedder
from jina_components.errors import InputError
from jina_components.scale.files import write_atomically
from jina_components.scale.parquet import write_table
from jina_components.scale.rows import BadRow, Columns, Raw, Row, parse
from jina_components.types import StorageType

if TYPE_CHECKING:
    from jina_components.core.quantization import Codes
    from jina_components.types import FloatArray

ShardFormat = Literal["parquet", "npy"]


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """What makes the shards of a job what they are; the fields are arguments of `embed_file`."""

    column: str
    id_column: str | None
    format: ShardFormat
    shard_rows: int
    task: str | None
    dimensions: int | None
    storage_type: StorageType


@dataclass(frozen=True, slots=True)
class Shard:
    """Rows that are embedded together.

    Attributes:
        number: Its place, from 0.
        rows: As they stand in the file.
    """

    number: int
    rows: Sequence[Raw]


@dataclass(frozen=True, slots=True)
class ShardMaker:
    """Embeds shards and puts their files in place.

    Attributes:
        embedder: Travels as its settings; its model stays loaded.
        settings: How.
        source: The file, for errors.
        folder: Where the shards go.
        skip_bad: Whether rows that cannot be embedded are left out; else they raise.
    """

    embedder: Embedder
    settings: ShardSettings
    source: Path
    folder: Path
    skip_bad: bool

    def __call__(self, shard: Shard) -> dict[str, Any]:
        """The journal's entry of a shard, whose files are on the disk.

        Raises:
            InputError: a row cannot be embedded; the message names its line.
            IndexFilesError: the files cannot be written.
        """
        columns = Columns(self.settings.column, self.settings.id_column)
        parsed = [parse(raw, columns) for raw in shard.rows]
        bad = [row for row in parsed if isinstance(row, BadRow)]
        self._check(bad)
        rows, vectors, tokens = self._embed([row for row in parsed if isinstance(row, Row)], bad)
        codes = quantize(vectors, self.settings.storage_type)
        paths = WRITERS[self.settings.format](self.folder / f"part-{shard.number:05}", [row.id for row in rows], codes)
        return {
            "shard": shard.number,
            "rows": len(rows),
            "tokens": tokens,
            "failures": [{"line": row.number, "error": row.reason} for row in sorted(bad, key=lambda row: row.number)],
            "files": {path.name: path.stat().st_size for path in paths},
        }

    def _embed(self, rows: list[Row], bad: list[BadRow]) -> tuple[list[Row], FloatArray, int]:
        """The rows that can be embedded, their vectors and tokens; the others are added to `bad`."""
        kept: list[Row] = []
        parts: list[FloatArray] = []
        tokens = 0
        waiting = [rows]
        while waiting:
            part = waiting.pop()
            try:
                embeddings = self.embedder.embed(
                    [row.text for row in part], task=self.settings.task, dimensions=self.settings.dimensions
                )
            except InputError as error:
                if error.index is None:
                    raise
                row = part[error.index]
                bad.append(BadRow(row.number, str(error).replace(f"inputs[{error.index}]", "its text")))
                self._check(bad)
                rest = part[error.index + 1 :]
                middle = len(rest) // 2  # in halves: each error costs all of a part, and there may be many
                waiting += [rest[middle:], rest[:middle], part[: error.index]]
                continue
            kept += part
            parts.append(embeddings.vectors)
            tokens += embeddings.usage.prompt_tokens
        return kept, np.concatenate(parts), tokens

    def _check(self, bad: Sequence[BadRow]) -> None:
        if bad and not self.skip_bad:
            raise InputError(
                f"{self.source}, row at line {bad[0].number}: {bad[0].reason} "
                "Correct it, or pass skip_bad=True to leave such rows out."
            )


def write_parquet(stem: Path, ids: Sequence[str], codes: Codes) -> list[Path]:
    """`<stem>.parquet` with the columns `id` and `vector`."""
    path = stem.with_name(f"{stem.name}.parquet")
    write_atomically(path, lambda file: write_table(file, ids, codes))
    return [path]


def write_npy(stem: Path, ids: Sequence[str], codes: Codes) -> list[Path]:
    """`<stem>.npy`, codes of shape [n, width], and `<stem>.ids.jsonl`, a JSON string a line."""

    def write_ids(file: IO[bytes]) -> None:
        file.writelines(json.dumps(name, ensure_ascii=False).encode() + b"\n" for name in ids)

    paths = [stem.with_name(f"{stem.name}.ids.jsonl"), stem.with_name(f"{stem.name}.npy")]
    write_atomically(paths[0], write_ids)
    write_atomically(paths[1], lambda file: write_array(file, codes))
    return paths


WRITERS: dict[str, Callable[[Path, Sequence[str], Codes], list[Path]]] = {
    "parquet": write_parquet,
    "npy": write_npy,
}
"""By the name of the format."""
