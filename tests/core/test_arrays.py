import errno
from pathlib import Path

import numpy as np
import pytest

from jina_components.core.arrays import save_array, write_array


@pytest.mark.parametrize("array", [np.arange(6, dtype=np.int32).reshape(2, 3), np.zeros(0, bool), np.float64(3)])
def test_what_is_saved_is_loaded(tmp_path, array):
    save_array(tmp_path / "one.npy", array)
    loaded = np.load(tmp_path / "one.npy")
    assert loaded.dtype == array.dtype
    assert np.array_equal(loaded, array)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_named():
    with pytest.raises(OSError, match="space") as caught:
        save_array(Path("/dev/full"), np.zeros(1_000_000))
    assert caught.value.errno == errno.ENOSPC


def test_an_array_is_written_into_an_open_file(tmp_path):
    array = np.arange(4, dtype=np.int8)
    with (tmp_path / "two.npy").open("wb") as file:
        write_array(file, array)
        write_array(file, array + 1)
    with (tmp_path / "two.npy").open("rb") as file:
        assert np.array_equal(np.load(file), array)
        assert np.array_equal(np.load(file), array + 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_named_in_an_open_file_too():
    with pytest.raises(OSError, match="space") as caught, Path("/dev/full").open("wb") as file:
        write_array(file, np.zeros(1_000_000))
    assert caught.value.errno == errno.ENOSPC
