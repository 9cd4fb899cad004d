"""Speed of the tokenizers beside tiktoken, rs-bpe and Hugging Face's tokenizers, on the same texts in one run.

    python -m benchmarks.speed.tokenizing TEXTS [--rounds 3] [--to results.json]

TEXTS are files or folders of `.md` and `.txt`, gzipped or not. Million tokens a CPU-second, the best of the rounds, of
one thread: ours counting, locating every token and giving its id; the peers giving ids, after a check that these are
the same. The ratio is that of our places to their ids. tiktoken finds its ranks where TIKTOKEN_CACHE_DIR says;
encodings whose ranks are not on this machine are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from benchmarks.speed.segmenting import read_texts
from jina_components.errors import ModelFilesError
from jina_components.models.files import bundled_path
from jina_components.models.tokenizers import BUNDLED, Tokenizer

NAMES = (BUNDLED, "cl100k_base", "o200k_base", "p50k_base", "r50k_base")
Encode = Callable[[str], Sequence[int]]


def peers(name: str) -> Iterator[tuple[str, Encode]]:
    """What else gives the ids of this tokenizer, where installed."""
    if name == BUNDLED:
        from tokenizers import Tokenizer as HuggingFace

        raw = HuggingFace.from_file(str(bundled_path("static-minilm-v1") / "tokenizer.json"))
        raw.no_truncation()
        yield "Hugging Face", lambda text: raw.encode(text, add_special_tokens=False).ids
        return
    import tiktoken

    yield "tiktoken", tiktoken.get_encoding(name).encode_ordinary
    if importlib.util.find_spec("rs_bpe") and hasattr(rs_bpe := importlib.import_module("rs_bpe.bpe").openai, name):
        yield "rs-bpe", getattr(rs_bpe, name)().encode


def speed(work: Callable[[str], object], texts: Sequence[str], tokens: int, rounds: int) -> float:
    """Million tokens a CPU-second, the best of the rounds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for text in texts:
            work(text)
        best = min(best, time.process_time() - start)
    return tokens / best / 1e6


def measure(name: str, texts: Sequence[str], rounds: int) -> dict[str, float | str | int]:
    """A row of the table."""
    tokenizer = Tokenizer(name, offline=True)
    tokens = sum(map(tokenizer.count, texts))
    row: dict[str, float | str | int] = {"tokenizer": name, "tokens": tokens}
    for work in ("count", "spans", "encode"):
        row[work] = speed(getattr(tokenizer, work), texts, tokens, rounds)
    for peer, encode in peers(name):
        same = all(list(encode(text)) == tokenizer.encode(text).tolist() for text in texts)
        row[peer] = speed(encode, texts, tokens, rounds)
        row[f"spans / {peer}"] = row["spans"] / row[peer] if same else "other ids"
    return row


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("texts", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--to", type=Path)
    options = parser.parse_args()
    texts, rows = read_texts(options.texts), []
    for name in NAMES:
        try:
            rows.append(measure(name, texts, options.rounds))
        except ModelFilesError as error:
            print(f"{name} left out: {error}")
            continue
        print("  ".join(f"{key} {value:,.2f}" if isinstance(value, float) else f"{key} {value}"
                        for key, value in rows[-1].items()))  # fmt: skip
    if options.to:
        options.to.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
