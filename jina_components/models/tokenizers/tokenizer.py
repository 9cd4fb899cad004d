"""Tokenizer: the tokens of a text, counted, located, shown and cut at."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from jina_components.core.component import Component
from jina_components.core.names import resolve_name
from jina_components.errors import ConfigError, InputError
from jina_components.models.files import bundled_path
from jina_components.models.tokenizers.encoded import (
    Encoded,
    Encoder,
    Numbers,
    complete_ends,
    joined,
    token_pieces,
)
from jina_components.models.tokenizers.encodings import ENCODINGS, load_encoding
from jina_components.models.tokenizers.tokenizer_json import JsonEncoder
from jina_components.types import TokenPiece

BUNDLED = "bundled"
_NAMES: dict[str, str | Path] = {
    BUNDLED: bundled_path("static-minilm-v1") / "tokenizer.json",
    **{name: name for name in ENCODINGS},
}

_WINDOW = 1 << 18
# Before a lone space: most vocabularies begin words with theirs.
_LONE_SPACE = re.compile(r"(?<=\S)(?=\s\S)")


def resolve_tokenizer(name: str | os.PathLike[str]) -> str | Path:
    """The name of an encoding, or the `tokenizer.json` that another name or a path stands for; looks at no file.

    A str that ends in `.json` or has a path separator is a path, any other a name.

    Raises:
        UnknownNameError: the name is not known.
        ConfigError: it is neither a name nor a path.
    """
    if not isinstance(name, str | os.PathLike):
        raise ConfigError(f"tokenizer must be a name or a path, got {type(name).__name__}.")
    if isinstance(name, str) and not name.endswith(".json") and Path(name).name == name:
        return resolve_name(_NAMES, name, what="tokenizer (a name, or the path of a tokenizer.json)")
    return Path(name)


class Tokenizer(Component):
    """The tokens of a text. Special tokens are neither added nor recognised: in a text they are text.

    A long text is tokenized in windows of some 262,144 characters, which keeps memory flat. For the encodings and
    for BERT's WordPiece they meet where that makes no difference, and grow until there is such a place (WordPiece:
    up to twice that); other models may see a token more or less there.

    Places are in code points. The byte-level encodings may end a token within a character: its place then goes to
    the end of that character, and the next token's begins with it. Each surrogate counts as U+FFFD.

    Thread-safe. Pickles as its settings.

    Args:
        name: `bundled`, that of `static-minilm-v1`; `cl100k_base` or `o200k_base`; `p50k_base`, `p50k_edit`,
            `r50k_base` or `gpt2`, which need `pip install 'jina-components[tiktoken]'` and a file of ranks; or the path
            of a `tokenizer.json`.
        offline: Never fetch a file of ranks that is not on this machine (the environment variable
            `HF_HUB_OFFLINE=1` does the same).
        folder: Where files of ranks are looked for, and put when fetched; None for `jina_components/tokenizers` in
            `$XDG_CACHE_HOME` or `~/.cache`. Those that tiktoken has fetched are found too.

    Attributes:
        name: The name or path, as given.

    Raises:
        UnknownNameError: no tokenizer of this name.
        ModelFilesError: its file is missing or broken, or cannot be fetched.
        MissingDependencyError: it needs tiktoken.

    Example:
        >>> tokenizer = Tokenizer("cl100k_base")
        >>> tokenizer.count("Hello world"), tokenizer.tokenize("Hello 🌍")[0]
        (2, TokenPiece(text='Hello', ids=(9906,)))
    """

    def __init__(
        self, name: str | os.PathLike[str], *, offline: bool = False, folder: str | os.PathLike[str] | None = None
    ) -> None:
        self.name = os.fspath(name)
        found = resolve_tokenizer(name)
        self._encoder: Encoder = (
            JsonEncoder(found)
            if isinstance(found, Path)
            else load_encoding(found, folder=None if folder is None else Path(folder), offline=offline)
        )

    def count(self, text: str) -> int:
        """Number of tokens of `text`."""
        return sum(self._encoder.count(window) for _, window in self._windows(text))

    def encode(self, text: str) -> Numbers:
        """Ids of the tokens in the vocabulary; int32, shape [number of tokens]."""
        return joined(self._encoder.ids(window) for _, window in self._windows(text))

    def starts(self, text: str) -> Numbers:
        """Start of every token in code points, in order; int32, shape [number of tokens]. Takes half the memory of
        `spans`.
        """  # noqa: D205 (one sentence)
        return joined(part.starts for part in self._parts(text))

    def spans(self, text: str) -> tuple[Numbers, Numbers]:
        """Start and end of every token in code points, in order; int32, shape [number of tokens] each."""
        pairs = [(part.starts, part.ends) for part in self._parts(text)]
        return joined(starts for starts, _ in pairs), joined(ends for _, ends in pairs)

    def stands_alone(self, text: str, start: int, end: int) -> bool:
        """Whether `text[start:end]` is sure to have alone the tokens that it has in `text`."""
        parting, longest = self._encoder.parting, self._encoder.longest
        if parting is None or (longest is not None and end - start > longest // 2):
            return False
        return all(parting.match(text, cut) for cut in (start, end) if 0 < cut < len(text))

    def tokenize(self, text: str) -> list[TokenPiece]:
        """The tokens as a streaming decoder would show them: an id that only adds part of a character waits for the
        next ones, whole characters before that part are shown at once. The texts joined are `text`.

        What the tokenizer drops, such as WordPiece the white space, goes with the token behind it, or else with the
        last one; a text without tokens has no pieces.
        """  # noqa: D205 (one sentence)
        return token_pieces(text, self._encode(text))

    def head(self, text: str, tokens: int) -> str:
        """The beginning of `text` that its first `tokens` tokens cover, without a last character they only begin.

        All of the text if it has no more tokens.

        Raises:
            InputError: `tokens` is negative.
        """
        encoded = self._encode(text, more_than=_checked(tokens))
        if tokens >= len(encoded.ids):
            return text
        return text[: complete_ends(encoded)[tokens - 1]] if tokens else ""

    def tail(self, text: str, tokens: int) -> str:
        """The end of `text` that its last `tokens` tokens cover, without a first character they only end.

        All of the text if it has no more tokens.

        Raises:
            InputError: `tokens` is negative.
        """
        starts, ends = self.spans(text)
        first = len(starts) - _checked(tokens)
        if first <= 0:
            return text
        return text[max(starts[first], ends[:first].max()) :] if tokens else ""

    def special_tokens(self, text: str) -> list[str]:
        """Texts of the vocabulary's special tokens that stand in `text`, each once, in order of their first place."""
        places = {token: text.find(token) for token in self._encoder.special_tokens}
        return sorted((token for token, place in places.items() if place >= 0), key=places.__getitem__)

    def _encode(self, text: str, *, more_than: int | None = None) -> Encoded:
        """The tokens of `text`, or of its first windows if those are enough."""
        parts, total = [], 0
        for part in self._parts(text):
            parts.append(part)
            total += len(part.ids)
            if more_than is not None and total > more_than:
                break
        return Encoded(
            joined(part.ids for part in parts),
            joined(part.starts for part in parts),
            joined(part.ends for part in parts),
        )

    def _parts(self, text: str) -> Iterator[Encoded]:
        """The tokens of one window after the other, in places of `text`."""
        return (self._encoder.encode(window).moved(position) for position, window in self._windows(text))

    def _windows(self, text: str) -> Iterator[tuple[int, str]]:
        parting = self._encoder.parting or _LONE_SPACE
        position = 0
        while position < len(text):
            end = self._window_end(text, position, parting)
            yield position, text[position:end]
            position = end

    def _window_end(self, text: str, position: int, parting: re.Pattern[str]) -> int:
        if len(text) - position <= _WINDOW:
            return len(text)
        last = len(text) if self._encoder.longest is None else min(position + 2 * _WINDOW, len(text))
        cut = parting.search(text, position + _WINDOW, last)
        return cut.start() if cut else last


def _checked(tokens: int) -> int:
    if tokens < 0:
        raise InputError(f"tokens must be 0 or more, got {tokens}.")
    return tokens
