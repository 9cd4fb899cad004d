"""Embedding a file of texts into files of vectors, in a run that can be killed at any moment and goes on.

    DIR/part-00000.parquet          vectors of the first `shard_rows` rows of the input, in its order, with their ids
    DIR/part-00000.npy, .ids.jsonl  the same in the other format
    DIR/journal.jsonl               while it runs: what is embedded and how, then a line for each shard done
    DIR/manifest.json               once it is done: the same, with counts
    DIR/failures.jsonl              the rows left out, where there are any: line, error

A shard's files are written under temporary names, synced and renamed, and only then is the shard in the journal.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from jina_components.core.inputs import check_count
from jina_components.core.names import resolve_name
from jina_components.core.probe import PROBE, agree
from jina_components.core.progress import progress_bar
from jina_components.core.quantization import DTYPES
from jina_components.core.vectors import normalize
from jina_components.embedder import Embedder
from jina_components.errors import BackendError, ConfigError, IndexFilesError, InputError
from jina_components.scale.describing import describe
from jina_components.scale.files import (
    LOCK,
    Journal,
    check_same,
    is_unfinished_of,
    locked,
    remove_unfinished,
    write_atomically,
)
from jina_components.scale.parquet import import_parquet
from jina_components.scale.processes import ATTEMPTS, Lost, run_in_processes
from jina_components.scale.rows import Columns, identify, raw_rows
from jina_components.scale.shards import WRITERS, Shard, ShardFormat, ShardMaker, ShardSettings
from jina_components.types import StorageType

KIND = {"kind": "jina_components.embedding_job", "version": 1}
MANIFEST, JOURNAL, FAILURES = "manifest.json", "journal.jsonl", "failures.jsonl"
_FILES = re.compile(r"(?:manifest\.json|journal\.jsonl|failures\.jsonl|part-\d{5,}\.(?:parquet|npy|ids\.jsonl))")


@dataclass(frozen=True, slots=True)
class EmbeddingReport:
    """What an embedding job did.

    Attributes:
        rows: Vectors in the directory.
        failures: Rows left out.
        shards: Shards in the directory.
        resumed: Those of them that an earlier run had made.
        tokens: Tokens that this run embedded.
        seconds: Time that this run took.
    """

    rows: int
    failures: int
    shards: int
    resumed: int
    tokens: int
    seconds: float

    @property
    def tokens_per_second(self) -> float:
        """Of this run, loading included."""
        return self.tokens / self.seconds if self.seconds else 0.0


def embed_file(
    source: str | os.PathLike[str],
    *,
    to: str | os.PathLike[str],
    embedder: Embedder | None = None,
    column: str = "text",
    id_column: str | None = None,
    format: ShardFormat = "parquet",
    shard_rows: int = 10_000,
    task: str | None = "retrieval.passage",
    dimensions: int | None = None,
    storage_type: StorageType = "float32",
    skip_bad: bool = False,
    workers: int = 1,
    show_progress: bool = False,
) -> EmbeddingReport:
    """Embed the texts of a file into shards of vectors; called again after a kill, it does what is left.

    The vectors are those of `Embedder.embed`, of unit length, in the order of the rows. Memory holds two shards a
    worker. With several workers, the script that calls this needs its `if __name__ == "__main__":`.

    Args:
        source: `.jsonl`, `.ndjson`, `.csv`, `.tsv` (each also `.gz`) or `.parquet`.
        to: Directory of the shards; made when it is not there. The same file and settings go on where a run ended.
        embedder: By default `Embedder()`.
        column: Of the texts.
        id_column: Of the ids, strings or integers; None takes the number of the line (of the row in Parquet), from 1.
        format: `parquet`, with columns `id` and `vector`; or `npy`, with the ids as JSON strings in a file beside it.
        shard_rows: Rows of the input in a shard.
        task: As in `Embedder.embed`.
        dimensions: As in `Embedder.embed`.
        storage_type: As in `quantize`, without ranges.
        skip_bad: Leave rows out that hold no text, or one over the model's context, and list them in
            `failures.jsonl`; by default the first ends the run.
        workers: Processes that embed, each with a model of its own; 1 embeds in this one.
        show_progress: Draw a bar on stderr.

    Raises:
        InputError: a row that cannot be embedded, named by its line, or with `skip_bad` all of them; a file without
            rows; a number out of range.
        ReadError: the file cannot be read or is damaged.
        ConfigError: no such column, or the directory holds a job of another file, other settings or another model.
        IndexFilesError: the directory holds something else, is in use or cannot be written to, or files of a job that
            was done are gone.
        UnknownNameError: an unknown kind of file, format, storage type, model or task.
        MissingDependencyError: pyarrow is not installed and Parquet is read or written.
        BackendError: the model failed, or worker after worker died.
        ModelFilesError: the model cannot be loaded.

    Example:
        >>> embed_file("texts.jsonl", to="vectors", id_column="id")  # doctest: +SKIP
        EmbeddingReport(rows=2, failures=0, shards=1, resumed=0, tokens=13, seconds=0.1)
    """
    started = time.monotonic()
    check_count(shard_rows, what="shard_rows")
    check_count(workers, what="workers")
    resolve_name(WRITERS, format, what="format")
    resolve_name(DTYPES, storage_type, what="storage type")
    if format == "parquet":
        import_parquet()
    path, folder = Path(source), Path(to)
    settings = ShardSettings(column, id_column, format, shard_rows, task, dimensions, storage_type)
    maker = ShardMaker(Embedder() if embedder is None else embedder, settings, path, folder, skip_bad)
    header = {**KIND, "input": identify(path), "embedder": describe(maker.embedder), **asdict(settings)}
    with locked(folder):
        resumed, tokens, manifest = _go_on(folder, header, maker, workers=workers, show_progress=show_progress)
    return EmbeddingReport(
        manifest["rows"], manifest["failures"], len(manifest["shards"]), resumed, tokens, time.monotonic() - started
    )


def _go_on(
    folder: Path, header: dict[str, Any], maker: ShardMaker, *, workers: int, show_progress: bool
) -> tuple[int, int, dict[str, Any]]:
    """Shards that were there, tokens of this run, and the manifest of the job, which is then done."""
    if (folder / MANIFEST).exists():
        manifest = _read_manifest(folder / MANIFEST)
        check_same(folder, {name: manifest.get(name) for name in header}, header, what="an embedding job")
        _check_whole(folder, manifest)
        if (folder / JOURNAL).exists():  # a kill may have struck between the two
            Journal(folder / JOURNAL, header).close()  # which refuses one of something else
            (folder / JOURNAL).unlink()
        return len(manifest["shards"]), 0, manifest
    _check_ours(folder)
    probe = normalize(
        maker.embedder.embed([PROBE], task=maker.settings.task, dimensions=maker.settings.dimensions).vectors
    )[0]
    journal = Journal(folder / JOURNAL, {**header, "probe": [round(float(value), 6) for value in probe]})
    try:
        begun = dict(journal.header)
        made_with = np.asarray(begun.pop("probe", ()), np.float32)
        check_same(folder, begun, header, what="an embedding job")
        _check_probe(folder, made_with, probe)
        remove_unfinished(folder, _FILES)
        done = {entry["shard"]: entry for entry in journal.entries if _is_there(folder, entry)}
        resumed = len(done)
        tokens = _run(journal, done, maker, workers=workers, show_progress=show_progress)
        if not any(entry["rows"] for entry in done.values()):
            raise _nothing_embedded(journal, maker, list(done.values()))
        return resumed, tokens, _finish(journal, [done[number] for number in sorted(done)])
    finally:
        journal.close()


def _run(
    journal: Journal, done: dict[int, dict[str, Any]], maker: ShardMaker, *, workers: int, show_progress: bool
) -> int:
    """Make the shards that are missing, and add their entries to `done`; the tokens of these."""
    tokens, started = 0, time.monotonic()
    shards = _shards(maker, set(done))
    with (
        closing(_made(maker, shards, workers)) as made,
        progress_bar("Embedding", unit="row", initial=_rows(done), show=show_progress) as bar,
    ):
        for shard, entry in made:
            journal.append(entry)
            done[shard.number] = entry
            tokens += entry["tokens"]
            bar.update(len(shard.rows))
            bar.set_postfix_str(f"{tokens / (time.monotonic() - started):,.0f} tokens/s")
    if not done:
        raise InputError(f"{maker.source} holds no rows.")
    return tokens


def _nothing_embedded(journal: Journal, maker: ShardMaker, entries: list[dict[str, Any]]) -> InputError:
    """The error of a job that left every row out; of which nothing stays, since its settings may be the mistake."""
    for entry in entries:
        for name in entry["files"]:
            (journal.path.parent / name).unlink(missing_ok=True)
    journal.clear()
    failures = [failure for entry in sorted(entries, key=lambda entry: entry["shard"]) for failure in entry["failures"]]
    return InputError(
        f"{maker.source}: none of its {len(failures)} rows can be embedded. Row at line {failures[0]['line']}: "
        f"{failures[0]['error']} Is {maker.settings.column!r} the column of the texts?"
    )


def _made(maker: ShardMaker, shards: Iterator[Shard], workers: int) -> Generator[tuple[Shard, dict[str, Any]]]:
    if workers == 1:
        yield from ((shard, maker(shard)) for shard in shards)
        return
    with closing(run_in_processes(maker, shards, workers=workers)) as outcomes:
        for shard, entry in outcomes:
            if isinstance(entry, Lost):
                raise BackendError(
                    f"{maker.source}, rows at lines {shard.rows[0][0]} to {shard.rows[-1][0]}: {ATTEMPTS} worker "
                    f"processes died at them, the last by {entry.reason}. Where memory is short, take fewer workers or "
                    "smaller shards."
                )
            yield shard, entry


def _shards(maker: ShardMaker, done: set[int]) -> Iterator[Shard]:
    rows = raw_rows(maker.source, Columns(maker.settings.column, maker.settings.id_column))
    for number in count():
        block = list(islice(rows, maker.settings.shard_rows))
        if not block:
            return
        if number not in done:
            yield Shard(number, block)


def _finish(journal: Journal, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Write what was left out and the manifest, and remove the journal."""
    folder = journal.path.parent
    failures = [failure for entry in entries for failure in entry["failures"]]
    if failures:
        lines = [json.dumps(failure, ensure_ascii=False).encode("utf-8", "replace") + b"\n" for failure in failures]
        write_atomically(folder / FAILURES, lambda file: file.writelines(lines))
    shards = [{name: entry[name] for name in ("shard", "rows", "tokens", "files")} for entry in entries]
    totals = {name: sum(entry[name] for entry in entries) for name in ("rows", "tokens")}
    manifest = {**journal.header, **totals, "failures": len(failures), "shards": shards}
    text = json.dumps(manifest, indent=1, ensure_ascii=False).encode("utf-8", "replace")
    write_atomically(folder / MANIFEST, lambda file: file.write(text))
    journal.close()
    journal.path.unlink()
    return manifest


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_bytes())
        if {name: manifest[name] for name in KIND} == KIND and {"rows", "failures", "shards"} <= {*manifest}:
            return dict(manifest)
    except (ValueError, KeyError, TypeError) as error:
        raise IndexFilesError(f"{path} is no manifest of an embedding job: choose a new directory.") from error
    raise IndexFilesError(f"{path} is no manifest of an embedding job of this release: choose a new directory.")


def _check_whole(folder: Path, manifest: dict[str, Any]) -> None:
    for shard in manifest["shards"]:
        if not _is_there(folder, shard):
            names = ", ".join(shard["files"])
            raise IndexFilesError(
                f"{folder} holds an embedding job that is done, but {names} is gone or has changed: "
                "choose another directory, or delete this one to do it again."
            )


def _check_ours(folder: Path) -> None:
    """Never write into a folder of the user's own files; whose journal it is, it says itself."""
    names = {path.name for path in folder.iterdir()}
    foreign = [name for name in names if name != LOCK and not is_unfinished_of(name, _FILES)]
    if foreign and JOURNAL not in names:
        raise IndexFilesError(f"{folder} is not empty and holds no embedding job: choose a new directory.")


def _check_probe(folder: Path, begun: np.ndarray[Any, Any], now: np.ndarray[Any, Any]) -> None:
    if not agree(begun, now):
        raise ConfigError(
            f"{folder} holds an embedding job that was begun with another model of this name: its files have changed. "
            "Choose another directory."
        )


def _is_there(folder: Path, entry: dict[str, Any]) -> bool:
    paths = {folder / name: size for name, size in entry["files"].items()}
    return all(path.is_file() and path.stat().st_size == size for path, size in paths.items())


def _rows(done: dict[int, dict[str, Any]]) -> int:
    return sum(entry["rows"] + len(entry["failures"]) for entry in done.values())
