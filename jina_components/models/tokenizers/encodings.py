"""The encodings that OpenAI published with tiktoken (https://github.com/openai/tiktoken), by name.

cl100k_base and o200k_base come from toktok-rs (https://github.com/vectorize-io/toktok), which carries their ranks,
needs time in proportion to the text whatever it is, and gives tiktoken's ids. (The one difference found among every
code point in 5 contexts and 120,000 random strings: in o200k_base, what comes behind `'ſ'` at the end of a word.)
The others are run by tiktoken itself on ranks that `ranks.load_ranks` finds, so that it asks no network. gpt2 has the
ids of r50k_base; p50k_base and p50k_edit add runs of 2 to 25 spaces to them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jina_components.errors import InputError, MissingDependencyError
from jina_components.models.tokenizers.byte_pairs import BytePairEncoder
from jina_components.models.tokenizers.ranks import load_ranks

# Unicode's White_Space, which is what \s means in the patterns; Python's own \s holds a few more.
_SPACE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

# The patterns by which text is split before pairs are merged look ahead but never behind. So a text may be cut
# wherever one piece must end, if the piece before it would end there for want of text too.
# Of cl100k_base and o200k_base: white space joins nothing before it, but for line ends, which join other signs than
# letters and digits. Line ends are matched up to the last one of a run of white space, or with all of a run that
# ends the text, and what follows does not join them, but for o200k_base's slash.
_PARTING_MODERN = re.compile(
    rf"(?<=[^{_SPACE}])(?=[ \t\u3000])|(?<=[A-Za-z0-9])(?=[\r\n])|(?<=[\r\n])(?=[ \t\u3000]{{0,32}}+[^{_SPACE}/])"
)
# Of GPT-2's: white space joins nothing before it, and only a space what follows. The last of a run that does not end
# the text stands apart from the others. (tiktoken fails on a run of a million, and what it gets has none as long.)
_PARTING_GPT2 = re.compile(
    rf"(?<=[^{_SPACE}])(?=[{_SPACE}])|(?<=[{_SPACE}])(?=[{_SPACE}][^{_SPACE}])|(?<=[^{_SPACE}]\n)(?=[^{_SPACE}])"
)
# Equivalent to the one published with GPT-2 (https://github.com/openai/gpt-2), in the form tiktoken runs fastest.
_SPLIT_GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"

_END = "<|endoftext|>"
_PROMPT = "<|endofprompt|>"
_FILL = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
_CHAT = ("<|im_start|>", "<|im_end|>", "<|im_sep|>")

_CL100K_SIZE, _GPT2_SIZE = 100256, 50256
_SPACE_RUNS = {b" " * length: 50255 + length for length in range(2, 26)}


@dataclass(frozen=True, slots=True)
class Encoding:
    """How an encoding is had.

    Attributes:
        load: Makes its encoder from its name, its special tokens, the folder of rank files and whether to stay offline.
        special_tokens: Texts of its special tokens.
    """

    load: Callable[[str, tuple[str, ...], Path | None, bool], BytePairEncoder]
    special_tokens: tuple[str, ...]


def load_encoding(name: str, *, folder: Path | None, offline: bool) -> BytePairEncoder:
    """The encoder of an encoding.

    Raises:
        KeyError: not in `ENCODINGS`.
        ModelFilesError, MissingDependencyError: its ranks, or tiktoken, cannot be had.
    """
    encoding = ENCODINGS[name]
    return encoding.load(name, encoding.special_tokens, folder, offline)


def decode_cl100k(ids: Sequence[int]) -> str:
    """The text of tokens of cl100k_base; U+FFFD for bytes that are no character.

    Raises:
        InputError: an id that it does not have.
    """
    from toktok import _encoding

    wrong = next((number for number in ids if not 0 <= number < _CL100K_SIZE), None)
    if wrong is not None:
        raise InputError(f"{wrong} is no token of text in cl100k_base, which has 0 to {_CL100K_SIZE - 1}.")
    return _encoding("cl100k_base").decode_bytes(list(ids)).decode(errors="replace")


def _carried(name: str, special_tokens: tuple[str, ...], folder: Path | None, offline: bool) -> BytePairEncoder:  # noqa: ARG001
    from toktok import _encoding  # kept by toktok for the life of the process; the public functions give no ids

    tokenizer = _encoding(name)
    values = tokenizer.token_byte_values()
    return BytePairEncoder(
        lambda text: tokenizer.encode_to_numpy(text, disallowed_special=()),
        count=tokenizer.count,
        lengths=np.fromiter(map(len, values), np.int32, len(values)),
        parting=_PARTING_MODERN,
        special_tokens=special_tokens,
    )


def _gpt2(name: str, special_tokens: tuple[str, ...], folder: Path | None, offline: bool) -> BytePairEncoder:
    try:
        import tiktoken
    except ImportError as error:
        raise MissingDependencyError(
            f"The tokenizer {name} needs tiktoken: pip install 'jina-components[tiktoken]'."
        ) from error
    ranks = {token: rank for token, rank in load_ranks(folder=folder, offline=offline).items() if rank < _GPT2_SIZE}
    if name.startswith("p50k"):
        ranks |= _SPACE_RUNS
    lengths = np.zeros(max(ranks.values()) + 1, np.int32)
    lengths[np.fromiter(ranks.values(), np.int32)] = np.fromiter(map(len, ranks), np.int32)
    tokenizer = tiktoken.Encoding(name, pat_str=_SPLIT_GPT2, mergeable_ranks=ranks, special_tokens={})
    return BytePairEncoder(
        # Not its encode_to_numpy, which looks for special tokens and takes twice the time.
        lambda text: np.array(tokenizer.encode_ordinary(text), np.uint32),
        count=lambda text: len(tokenizer.encode_ordinary(text)),
        lengths=lengths,
        parting=_PARTING_GPT2,
        special_tokens=special_tokens,
    )


ENCODINGS: Mapping[str, Encoding] = {
    "cl100k_base": Encoding(_carried, (_END, *_FILL, _PROMPT, *_CHAT)),
    "o200k_base": Encoding(_carried, (_END, _PROMPT, *_CHAT)),
    "p50k_base": Encoding(_gpt2, (_END,)),
    "p50k_edit": Encoding(_gpt2, (_END, *_FILL)),
    "r50k_base": Encoding(_gpt2, (_END,)),
    "gpt2": Encoding(_gpt2, (_END,)),
}
