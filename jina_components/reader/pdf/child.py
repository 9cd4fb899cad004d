"""The process that reads PDFs: one job after the other from its input, the results to its output.

Once it can work it writes an empty block. A job is two blocks, JSON and the PDF; a result is two, JSON and a picture.
A block is its length, in eight bytes, the highest first, and its bytes. Nothing is unpickled, on neither side.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import struct
import sys
from dataclasses import asdict
from typing import IO, Any

from jina_components.reader.pdf.document import BrokenPdfError, Job, extract
from jina_components.reader.pdf.render import Style

LENGTH = struct.Struct(">Q")
_GRACE = 5  # seconds beyond the time of a job, after which a process whose parent is gone ends itself


def main() -> None:
    """Work until the input ends."""
    requests, results = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library writes to the output must not look like a result
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    if hasattr(signal, "SIGALRM"):  # not on Windows
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a parent that ignores it hands that on
    limit_resources(int(sys.argv[-1]))
    gc.freeze()
    gc.enable()
    _write(results, b"")
    while (head := read_block(requests)) is not None:
        data = read_block(requests)
        if data is None:
            return
        answer, picture = _answer(json.loads(head), data)
        _write(results, json.dumps(answer).encode(), picture)


def _write(stream: IO[bytes], *blocks: bytes) -> None:
    for block in blocks:
        stream.write(LENGTH.pack(len(block)))
        stream.write(block)
    stream.flush()


def _answer(head: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    _set_alarm(head["timeout"] + _GRACE)
    try:
        result = extract(data, Job(head["page"], head["pictures"], Style(**head["style"])))
    except BrokenPdfError as error:
        return {"error": str(error)}, b""
    except MemoryError:
        return {"no_memory": True}, b""
    except Exception as error:  # noqa: BLE001 (told to the parent, which raises it)
        return {"error": f"{{label}} cannot be read: {type(error).__name__}: {error}"}, b""
    finally:
        _set_alarm(0)
    answer = asdict(result)
    return answer, answer.pop("picture")


def _set_alarm(seconds: float) -> None:
    if hasattr(signal, "setitimer"):  # not on Windows
        signal.setitimer(signal.ITIMER_REAL, seconds)


def read_block(stream: IO[bytes], *, limit: int | None = None) -> bytes | None:
    """The bytes of the next block; None where the stream ends.

    Raises:
        ValueError: it has more than `limit` bytes.
    """
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    if limit is not None and length > limit:
        raise ValueError(f"A block of {length:,} bytes; at most {limit:,} were expected.")
    block = stream.read(length)
    return block if len(block) == length else None


def limit_resources(max_memory: int) -> None:
    """No more memory than that, no files written, no core dumps: where the system has such limits."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limits = {"RLIMIT_AS": max_memory, "RLIMIT_CORE": 0, "RLIMIT_FSIZE": 0}
    for name, value in limits.items():
        kind = getattr(resource, name, None)
        if kind is None or (sys.platform == "darwin" and name == "RLIMIT_AS"):  # which macOS does not obey
            continue
        _, most = resource.getrlimit(kind)
        resource.setrlimit(kind, (value, value) if most == resource.RLIM_INFINITY else (min(value, most), most))


if __name__ == "__main__":
    main()
