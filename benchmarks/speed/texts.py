"""Inputs of the speed benchmarks: texts with a given number of tokens, from a public corpus or made of words.

Counts are those of the model's own tokenizer, [CLS] and [SEP] included. The same arguments give the same texts.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CORPUS = Path("retrieval/squad/train_paras.jsonl.gz")
_PARAGRAPHS = 4000
_MARKERS = 2  # [CLS] and [SEP]
# More than the characters that a token of English has, so that enough text is cut to length.
_CHARACTERS = 9


@dataclass(frozen=True)
class Lengths:
    """Log-normal lengths in tokens: their mean after the cap, the spread of their logarithm, how many, the cap."""

    mean: float
    spread: float
    count: int
    cap: int = 500

    def draw(self, rng: np.random.Generator) -> list[int]:
        """The lengths; the mean holds for the sample."""
        drawn = rng.lognormal(0.0, self.spread, self.count)
        for _ in range(50):
            drawn *= self.mean / np.clip(drawn, 4, self.cap).mean()
        return [int(length) for length in np.clip(drawn, 4, self.cap).round()]


EMBEDDING_SETS = {
    "short": Lengths(12, 0.2, 512),
    "passage": Lengths(130, 0.2, 96),
    "long": Lengths(420, 0.1, 32),
    "mixed": Lengths(70, 1.2, 256),
}
# Bare documents, which the tokens of the query and three markers come on top of.
RERANKING_SETS = {
    "128 tokens": Lengths(130, 0.0, 100),
    "256 tokens": Lengths(258, 0.0, 100),
    "mixed": Lengths(130, 0.8, 100, 480),
}


class TextSource:
    """Cuts texts out of a corpus, each piece of it used once before any is used again.

    Args:
        tokenizer: The model's `tokenizer.json`.
        data: Folder that holds `CORPUS`; None makes sentences from the tokenizer's own words.
    """

    def __init__(self, tokenizer: Path, data: Path | None) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        paragraphs = _corpus(data / CORPUS) if data else _sentences(self._tokenizer)
        self._paragraphs = cycle(paragraphs)

    def texts(self, lengths: Lengths, seed: int = 0) -> list[str]:
        """Texts of these lengths."""
        return [self._cut(length) for length in lengths.draw(np.random.default_rng(seed))]

    def count(self, texts: Sequence[str]) -> int:
        """Tokens of all texts together."""
        return sum(len(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts)))

    def _cut(self, length: int) -> str:
        bare, text = length - _MARKERS, ""
        offsets: list[tuple[int, int]] = []
        while len(offsets) < bare:
            while len(text) < bare * _CHARACTERS:
                text = f"{text} {next(self._paragraphs)}".strip()
            offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
            if len(offsets) < bare:
                text = f"{text} {next(self._paragraphs)}"
        return text[: offsets[bare - 1][1]]


def _corpus(path: Path) -> list[str]:
    """Paragraphs spread evenly over the file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    return texts[:: max(1, len(texts) // _PARAGRAPHS)]


def _sentences(tokenizer: Tokenizer) -> list[str]:
    """Sentences of whole words of the vocabulary, of which few are frequent."""
    words = sorted(word for word in tokenizer.get_vocab() if word.isascii() and word.isalpha() and len(word) > 1)
    rng = np.random.default_rng(1)
    rng.shuffle(words)
    shares = 1 / np.arange(1, len(words) + 1)
    drawn = rng.choice(words, _PARAGRAPHS * 60, p=shares / shares.sum())
    stream: Iterator[str] = iter(drawn.tolist())
    sentences = (" ".join(islice(stream, 15)).capitalize() + "." for _ in range(_PARAGRAPHS * 4))
    return [" ".join(islice(sentences, 4)) for _ in range(_PARAGRAPHS)]
