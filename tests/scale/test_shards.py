import sys

import numpy as np
import pytest

from jina_components.errors import IndexFilesError
from jina_components.scale.shards import WRITERS


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("format", ["npy", "parquet"])
def test_a_disk_that_takes_no_more_is_named_and_nothing_is_left(tmp_path, format):
    import resource

    if format == "parquet":
        pytest.importorskip("pyarrow")
    codes = np.random.default_rng(7).random((2, 100_000), np.float32)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(IndexFilesError, match=r"part-00000\.\w+ cannot be written: File too large\."):
            WRITERS[format](tmp_path / "part-00000", ["a", "b"], codes)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path for path in tmp_path.iterdir() if not path.name.endswith(".ids.jsonl")] == []
