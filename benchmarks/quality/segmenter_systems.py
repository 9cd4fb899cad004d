"""Splitters, each run in a process of its own over a file of texts.

    python segmenter_systems.py NAME TOKENS TEXTS RESULTS

Runs in any environment that has the splitter: the standard library is all this module needs besides. Every splitter
counts tokens of cl100k_base; the ranks of tiktoken come from the files that llama-index-core carries. TEXTS is a JSON
list; RESULTS has the start and end of each chunk in code points by text, and the CPU-seconds of two passes, each with a
fresh splitter: what the first leaves is what a tokenizer keeps for the life of the process.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tiktoken

Spans = list[tuple[int, int]]
Split = Callable[[str], Spans]
ENCODING = "cl100k_base"


def ours(tokens: int) -> Split:
    """Our Segmenter."""
    from jina_components.segmenter import Segmenter

    segmenter = Segmenter(max_chunk_length=tokens, length_unit="tokens", tokenizer=ENCODING)
    segmenter.load()
    return lambda text: [(chunk.start, chunk.end) for chunk in segmenter.segment(text).chunks]


def chonkie_recursive(tokens: int) -> Split:
    """Its rules by default."""
    from chonkie import RecursiveChunker

    return _of_objects(RecursiveChunker(tokenizer=_encoding(), chunk_size=tokens).chunk)


def chonkie_sentence(tokens: int) -> Split:
    """Its delimiters by default."""
    from chonkie import SentenceChunker

    return _of_objects(SentenceChunker(tokenizer=_encoding(), chunk_size=tokens, chunk_overlap=0).chunk)


def semchunk(tokens: int) -> Split:
    """With its memo, as by default."""
    import semchunk

    chunker = semchunk.chunkerify(_encoding(), tokens)
    return lambda text: [tuple(span) for span in chunker(text, offsets=True)[1]]


def langchain_recursive(tokens: int) -> Split:
    """Separators by default, lengths in tokens."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter.from_tiktoken_encoder(
        encoding_name=ENCODING, chunk_size=tokens, chunk_overlap=0, disallowed_special=()
    )
    return _of_texts(splitter.split_text)


def llama_index_sentence(tokens: int) -> Split:
    """By NLTK's sentences, as by default; the model is carried too."""
    from llama_index.core.node_parser import SentenceSplitter

    splitter = SentenceSplitter(
        chunk_size=tokens,
        chunk_overlap=0,
        tokenizer=_encoding().encode,
    )
    return _of_texts(splitter.split_text)


def semantic_text_splitter(tokens: int) -> Split:
    """Its splitter of Markdown."""
    from semantic_text_splitter import MarkdownSplitter

    splitter = MarkdownSplitter.from_tiktoken_model("gpt-4", tokens)

    def split(text: str) -> Spans:
        return [(start, start + len(chunk)) for start, chunk in splitter.chunk_indices(text)]

    return split


SYSTEMS: dict[str, Callable[[int], Split]] = {
    "jina_components": ours,
    "chonkie Recursive": chonkie_recursive,
    "chonkie Sentence": chonkie_sentence,
    "semchunk": semchunk,
    "LangChain RecursiveCharacter": langchain_recursive,
    "LlamaIndex SentenceSplitter": llama_index_sentence,
    "semantic-text-splitter Markdown": semantic_text_splitter,
}
"""Splitters by name, the first ours."""


def _encoding() -> tiktoken.Encoding:
    """tiktoken's, without special tokens: it would raise an error where a text speaks of one."""
    import tiktoken

    full = tiktoken.get_encoding(ENCODING)
    pattern, ranks = full._pat_str, full._mergeable_ranks  # noqa: SLF001 (it has no public way to them)
    return tiktoken.Encoding(ENCODING, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def _of_objects(chunk: Callable[[str], Iterable[Any]]) -> Split:
    return lambda text: [(piece.start_index, piece.end_index) for piece in chunk(text)]


def _of_texts(split: Callable[[str], Iterable[str]]) -> Split:
    """Splitters that give no offsets: each chunk is looked for behind the start of the one before."""

    def spans(text: str) -> Spans:
        found: Spans = []
        position = 0
        for piece in split(text):
            start = text.find(piece, position)
            if start < 0:
                raise ValueError(f"a chunk is not in the text behind {position}: {piece[:60]!r}")
            found.append((start, start + len(piece)))
            position = start + len(piece)
        return found

    return spans


def use_carried_ranks() -> None:
    """Let tiktoken read the ranks that llama-index-core carries, where it does; this process only."""
    spec = importlib.util.find_spec("llama_index.core")
    if spec and spec.origin and "TIKTOKEN_CACHE_DIR" not in os.environ:
        os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(spec.origin).parent / "_static" / "tiktoken_cache")


def timed(make: Callable[[int], Split], tokens: int, texts: Sequence[str]) -> tuple[list[Spans], list[float]]:
    """Spans of all texts, and CPU-seconds of two passes."""
    seconds = []
    for _ in range(2):
        split = make(tokens)
        split("A first text. It loads what is loaded late.")
        started = time.process_time()
        spans = [split(text) for text in texts]
        seconds.append(time.process_time() - started)
    return spans, seconds


def main() -> None:
    """Split all texts."""
    name, tokens, source, results = sys.argv[1:]
    use_carried_ranks()
    spans, seconds = timed(SYSTEMS[name], int(tokens), json.loads(Path(source).read_text("utf-8")))
    Path(results).write_text(json.dumps({"spans": spans, "seconds": seconds}), "utf-8")


if __name__ == "__main__":
    main()
