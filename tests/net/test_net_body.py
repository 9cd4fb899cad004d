import gzip
import os
import time
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.errors import ContentTooLargeError, WebError
from jina_components.net.body import unpack


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


FORMS = [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate)]


@pytest.mark.parametrize(("encoding", "pack"), FORMS)
@given(data=st.binary(max_size=300), spare=st.integers(-300, 5))
def test_unpacking_gives_the_data_or_keeps_the_limit(encoding, pack, data, spare):
    limit = max(len(data) + spare, 0)
    if len(data) <= limit:
        assert unpack(pack(data), encoding=encoding, max_bytes=limit) == data
    else:
        with pytest.raises(ContentTooLargeError):
            unpack(pack(data), encoding=encoding, max_bytes=limit)


@pytest.mark.parametrize(("encoding", "pack"), FORMS)
@given(data=st.binary(max_size=100), cut=st.integers(1, 200))
def test_data_that_ends_early_is_an_error(encoding, pack, data, cut):
    packed = pack(data)
    with pytest.raises(WebError, match=r"ends early|claims to be"):
        unpack(packed[: max(len(packed) - cut, 1)], encoding=encoding, max_bytes=1000)


@given(st.binary(min_size=1, max_size=100))
def test_any_bytes_unpack_or_are_a_web_error(data):
    for encoding in ("gzip", "deflate"):
        with suppress(WebError):
            assert len(unpack(data, encoding=encoding, max_bytes=1000)) <= 1000


@pytest.mark.parametrize(("encoding", "pack"), FORMS)
def test_a_bomb_never_inflates_past_the_limit(encoding, pack):
    bomb = pack(bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(ContentTooLargeError):
            unpack(bomb, encoding=encoding, max_bytes=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_what_follows_the_last_gzip_member_is_padding():
    one = gzip.compress(b"one")
    assert unpack(one + b"\r\n\0\0", encoding="gzip", max_bytes=100) == b"one"
    assert unpack(one + gzip.compress(b"two") + b"\0", encoding="gzip", max_bytes=100) == b"onetwo"


@given(parts=st.lists(st.binary(max_size=100), min_size=1, max_size=6), spare=st.integers(-100, 5))
def test_gzip_members_are_joined_within_the_limit(parts, spare):
    packed, whole = b"".join(map(gzip.compress, parts)), b"".join(parts)
    limit = max(len(whole) + spare, 0)
    if len(whole) <= limit:
        assert unpack(packed, encoding="gzip", max_bytes=limit) == whole
    else:
        with pytest.raises(ContentTooLargeError):
            unpack(packed, encoding="gzip", max_bytes=limit)
    with pytest.raises(WebError, match="ends early"):
        unpack(packed[:-1], encoding="gzip", max_bytes=1000)


def test_members_beyond_one_piece_are_joined():
    parts = [bytes([n]) * 200_000 + os.urandom(100_000) for n in range(3)]
    assert unpack(b"".join(map(gzip.compress, parts)), encoding="gzip", max_bytes=10**6) == b"".join(parts)


def test_a_body_of_empty_members_costs_little_time():
    empty = gzip.compress(b"")
    begin = time.process_time()
    assert unpack(empty * 20_000, encoding="gzip", max_bytes=100) == b""
    with pytest.raises(WebError, match="more than 100,000 gzip members"):
        unpack(empty * 2_500_000, encoding="gzip", max_bytes=100)
    assert time.process_time() - begin < 20
