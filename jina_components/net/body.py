"""Reading a response body within a byte limit, on the wire and unpacked."""

from __future__ import annotations

import asyncio
import zlib

import httpx

from jina_components.errors import ContentTooLargeError, WebError

ACCEPT_ENCODING = "gzip, deflate"

_GZIP_MAGIC = b"\x1f\x8b"
_PIECE_BYTES = 65_536
_MAX_MEMBERS = 100_000  # bgzip makes one of 64 kB each; millions of empty ones would cost minutes


async def read_body(response: httpx.Response, *, max_bytes: int) -> bytes:
    """The body of `response`, unpacked.

    Raises:
        ContentTooLargeError: it exceeds `max_bytes` as sent or as unpacked; no more than that is ever held.
        WebError: the content encoding is unknown, or the packed data is damaged.
    """
    encoding = response.headers.get("content-encoding", "").strip().lower() or "identity"
    if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise WebError(f"The content encoding {encoding!r} is not supported; only {ACCEPT_ENCODING} was asked for.")
    declared = response.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    received = bytearray()
    async for chunk in response.aiter_raw():
        received += chunk
        if len(received) > max_bytes:
            raise _too_large(max_bytes)
    if encoding == "identity" or not received:
        return bytes(received)
    return await asyncio.to_thread(unpack, bytes(received), encoding=encoding, max_bytes=max_bytes)


def unpack(data: bytes, *, encoding: str, max_bytes: int) -> bytes:
    """`data` unpacked from gzip (RFC 1952) or deflate (RFC 1950, or the bare RFC 1951 some servers send).

    Gzip data may consist of several members, whose contents are joined; what follows the last one is padding.

    Raises:
        ContentTooLargeError: more than `max_bytes` come out; unpacking stops there.
        WebError: the data is damaged or ends early.
    """
    content, position = bytearray(), 0
    for _ in range(_MAX_MEMBERS):
        try:
            position = _unpack_member(data, position, content, encoding, max_bytes)
        except zlib.error as error:
            raise WebError(f"The body is not the {encoding} data it claims to be ({error}).") from error
        if encoding == "deflate" or not data.startswith(_GZIP_MAGIC, position):
            return bytes(content)
    raise WebError(f"The body has more than {_MAX_MEMBERS:,} gzip members; no honest one has.")


def _unpack_member(data: bytes, position: int, content: bytearray, encoding: str, max_bytes: int) -> int:
    """Append what the member at `position` holds to `content`; where it ends."""
    decoder = zlib.decompressobj(_window_bits(data, encoding))
    while not decoder.eof:
        piece = data[position : position + _PIECE_BYTES]
        if not piece:
            raise WebError(f"The {encoding} data of the body ends early; try again.")
        content += decoder.decompress(piece, max_bytes + 1 - len(content))
        if len(content) > max_bytes:
            raise _too_large(max_bytes)
        position += len(piece) - len(decoder.unused_data)
    return position


def _window_bits(data: bytes, encoding: str) -> int:
    if encoding != "deflate":
        return zlib.MAX_WBITS | 16
    has_zlib_header = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2]) % 31 == 0
    return zlib.MAX_WBITS if has_zlib_header else -zlib.MAX_WBITS


def _too_large(max_bytes: int) -> ContentTooLargeError:
    return ContentTooLargeError(f"The response exceeds {max_bytes:,} bytes; raise max_bytes to accept it.")
