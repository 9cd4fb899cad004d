"""Which files an ONNX graph takes constants from, read without the onnx package.

Of protobuf's encoding (https://protobuf.dev/programming-guides/encoding/) only what leads to tensors is followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from jina_components.errors import ModelFilesError

MESSAGES: dict[str, dict[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto", 6: "GraphProto", 10: "TensorProto", 11: "GraphProto", 22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {13: "StringStringEntryProto"},
}  # fmt: skip
"""The fields of each message that hold tensors, however deep (onnx.proto); of tensors, where their bytes are."""
_ENTRY = "StringStringEntryProto"
_KEY, _VALUE = 1, 2
_VARINT, _LENGTH = 0, 2
_FIXED = {1: 8, 5: 4}  # bytes by wire type


def locations(graph: Path) -> set[str]:
    """The files that a graph names, relative to its folder, as it spells them.

    Raises:
        ModelFilesError: it cannot be read, or is no ONNX graph.
    """
    try:
        return set(_locations(memoryview(graph.read_bytes()), "ModelProto"))
    except OSError as error:
        raise ModelFilesError(f"{graph} cannot be read: {error}.") from error
    except (LookupError, ValueError, RecursionError) as error:
        raise ModelFilesError(f"{graph} is no ONNX graph: {error!r}. Fetch the model again.") from error


def _locations(message: memoryview, kind: str) -> Iterator[str]:
    if kind == _ENTRY:
        entry = {number: bytes(content).decode() for number, content in _fields(message)}
        if entry.get(_KEY) == "location":
            yield entry.get(_VALUE, "")
        return
    for number, content in _fields(message):
        if number in MESSAGES[kind]:
            yield from _locations(content, MESSAGES[kind][number])


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of each field that has a length."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            _, place = _varint(message, place)
            continue
        length, place = _varint(message, place) if wire == _LENGTH else (_FIXED[wire], place)
        if place + length > len(message):
            raise ValueError("cut off")
        if wire == _LENGTH:
            yield number, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number, and the place after it."""
    number = shift = 0
    while True:
        byte = message[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place
