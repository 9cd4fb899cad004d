"""The home of pyarrow: Parquet files read and written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from jina_components.errors import ConfigError, MissingDependencyError, ReadError

if TYPE_CHECKING:
    from jina_components.core.quantization import Codes

_ROWS = 1024  # read at a time


def read_table(path: Path, wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of a file, in order, of the columns wanted; memory holds some thousand.

    Raises:
        ReadError: it is no Parquet file, or damaged.
        ConfigError: it has no such column.
        MissingDependencyError: pyarrow is not installed.
    """
    pa, pq = import_parquet()
    try:
        with pq.ParquetFile(path) as file:
            check_columns(path, file.schema_arrow.names, wanted)
            for batch in file.iter_batches(batch_size=_ROWS, columns=list(wanted)):
                yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise ReadError(f"{path} is no Parquet file, or damaged: {error}.", str(path)) from error


def check_columns(path: Path, held: Sequence[str], wanted: Sequence[str]) -> None:
    """Refuse a file without a column that is wanted.

    Raises:
        ConfigError: it has none of this name; the message lists those that it has.
    """
    missing = [name for name in wanted if name not in held]
    if missing:
        raise ConfigError(f"{path} has no column {missing[0]!r}; it has {', '.join(map(repr, held))}.")


def write_table(file: IO[bytes], ids: Sequence[str], codes: Codes) -> None:
    """A column `id` of strings and a column `vector` of fixed-size lists of the codes' type.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    pa, pq = import_parquet()
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(codes.reshape(-1)), codes.shape[1])
    table = pa.table({"id": pa.array(ids, pa.string()), "vector": vectors})
    pq.write_table(table, file, use_dictionary=False)  # which numbers that are all different would only swell


def import_parquet() -> tuple[Any, Any]:
    """`pyarrow` and `pyarrow.parquet`.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingDependencyError(
            "Parquet files need pyarrow: pip install 'jina-components[parquet]', or take JSON Lines and npy."
        ) from error
    return pa, pq
