"""Speed of the segmenter, by unit and tokenizer, beside other splitters; one call of 10 MB, and its memory.

    python -m benchmarks.speed.segmenting TEXTS [--characters 1600] [--tokens 400] [--peers-python PEERS/bin/python]
        [--megabytes 10] [--to results.json]

TEXTS are files or folders of `.md` and `.txt`, gzipped or not. Speed is in million characters a CPU-second, from text
to chunks with offsets and exact token counts (those of the tokenizer named, whatever the unit). `first` is the first
pass over the texts in a process that has loaded everything and seen none of them; `again` the best of the passes behind
it, which find the words in the tokenizer's memory. A splitter that counts tokens takes cl100k_base, as do the peers.
`FLOOR` is what a release must reach with cl100k_base on texts not seen before, on a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.quality.segmenter import run
from benchmarks.quality.segmenter_systems import ENCODING, SYSTEMS
from jina_components import Segmenter

FLOOR = 8.0
_PASSES = 3
_WARM_UP = "# A heading\n\nA first text. It loads what is loaded late.\n"
_OURS = {
    "ours, characters": {"length_unit": "characters", "tokenizer": "bundled"},
    "ours, bundled tokens": {"length_unit": "tokens", "tokenizer": "bundled"},
    f"ours, {ENCODING} tokens": {"length_unit": "tokens", "tokenizer": ENCODING},
}


def measure(name: str, paths: Sequence[Path], limit: int) -> dict[str, float]:
    """Speed of one of ours; in this process, which should be a fresh one."""
    settings = _OURS[name]
    segmenter = Segmenter(
        max_chunk_length=limit,
        length_unit="tokens" if settings["length_unit"] == "tokens" else "characters",
        tokenizer=settings["tokenizer"],
    )
    segmenter.segment(_WARM_UP)
    texts = read_texts(paths)
    seconds = []
    for _ in range(_PASSES):
        started = time.process_time()
        for text in texts:
            segmenter.segment(text)
        seconds.append(time.process_time() - started)
    return _speeds(texts, seconds)


def measure_large(paths: Sequence[Path], limit: int, megabytes: float) -> dict[str, float]:
    """One call with the texts joined and repeated to a size, in cl100k_base's tokens; a fresh process shows memory."""
    joined = "\n\n".join(read_texts(paths))
    text = joined * (int(megabytes * 1e6 / len(joined.encode("utf-8", "replace"))) + 1)
    segmenter = Segmenter(max_chunk_length=limit, length_unit="tokens", tokenizer=ENCODING)
    segmenter.segment(_WARM_UP)
    before = _peak()
    started = time.process_time()
    found = segmenter.segment(text)
    seconds = time.process_time() - started
    return {
        "megabytes": len(text.encode("utf-8", "replace")) / 1e6,
        "chunks": len(found.chunks),
        "CPU-seconds": seconds,
        "MB of memory more": _peak() - before,
    }


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _speeds(texts: Sequence[str], seconds: Sequence[float]) -> dict[str, float]:
    characters = sum(map(len, texts)) / 1e6
    return {"first": characters / seconds[0], "again": characters / min(seconds[1:])}


def read_texts(paths: Sequence[Path]) -> list[str]:
    """Texts of files, and of the `.md` and `.txt` in folders."""
    files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    texts = []
    for file in files:
        if file.name.removesuffix(".gz").endswith((".md", ".txt")):
            with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as content:
                texts.append(content.read().decode("utf-8", "replace"))
    return [text for text in texts if text.strip()]


def _in_fresh_process(arguments: Sequence[str]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.speed.segmenting", *arguments]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", type=Path)
    parser.add_argument("--characters", type=int, default=1600)
    parser.add_argument("--tokens", type=int, default=400)
    parser.add_argument("--peers-python", type=Path, help="the interpreter of benchmarks/peers.txt")
    parser.add_argument("--megabytes", type=float, default=10.0, help="size of the one large call")
    parser.add_argument("--to", type=Path, help="write the results here as JSON")
    parser.add_argument("--only", choices=[*_OURS, "large"], help="measure this one in this process, and print JSON")
    options = parser.parse_args(arguments)
    if options.only:
        print(json.dumps(_measured(options)))
        return
    results = {name: _show(name, row) for name, row in _rows(options)}
    if options.to:
        options.to.write_text(json.dumps(results, indent=1), "utf-8")


def _measured(options: argparse.Namespace) -> dict[str, float]:
    if options.only == "large":
        return measure_large(options.texts, options.tokens, options.megabytes)
    limit = options.characters if options.only == "ours, characters" else options.tokens
    return measure(options.only, options.texts, limit)


def _rows(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, float]]]:
    shared = [*map(str, options.texts), "--characters", str(options.characters), "--tokens", str(options.tokens)]
    for name in (*_OURS, "large"):
        yield name, _in_fresh_process([*shared, "--megabytes", str(options.megabytes), "--only", name])
    if options.peers_python:
        texts = read_texts(options.texts)
        for name in list(SYSTEMS)[1:]:
            yield name, _speeds(texts, run(name, str(options.peers_python), options.tokens, texts).seconds)


def _show(name: str, row: dict[str, float]) -> dict[str, float]:
    print(name, "  ".join(f"{key} {value:,.1f}" for key, value in row.items()), flush=True)
    if name.startswith(f"ours, {ENCODING}") and row["first"] < FLOOR:
        print(f"{name}: below the floor of {FLOOR}", file=sys.stderr)
    return row


if __name__ == "__main__":
    main()
