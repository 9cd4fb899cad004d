"""Bytes to clean text: byte order mark, declared charset, detection, in this order."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# Labels that on the web mean a superset of what they say: https://encoding.spec.whatwg.org/#names-and-labels
_SUPERSETS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}

# Its labels that Python does not know.
_LABELS = {"windows-31j": "cp932", "windows-874": "cp874"}

# The encodings of that standard, by their Python names. No other is taken: Python also has "encodings" such
# as unicode_escape and utf-7 that turn harmless bytes into markup. The rare ones are read where they are
# declared, but never guessed.
_GUESSED = ("big5hkscs", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257",
            "cp1258", "cp866", "cp874", "cp932", "cp949", "euc_jp", "gb18030", "iso8859-2", "koi8-r",
            "mac-roman")  # fmt: skip
_RARE = ("iso2022_jp", "iso8859-10", "iso8859-13", "iso8859-14", "iso8859-15", "iso8859-16", "iso8859-3",
         "iso8859-4", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8", "koi8-u", "utf-16", "utf-16-be",
         "utf-16-le", "utf-32", "utf-8")  # fmt: skip
_KNOWN = frozenset(_GUESSED + _RARE)

_USUAL = "cp1252"  # what browsers take for undeclared Western text; little text is often as plausible in others
_SAMPLE_BYTES = 100_000
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_LINE_ENDS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"


@dataclass(frozen=True, slots=True)
class Decoded:
    """Clean text, the Python name of its encoding, and what a reader should know about the choice."""

    text: str
    encoding: str
    warnings: tuple[str, ...] = ()


def decode(data: bytes, *, declared: Iterable[str] = ()) -> Decoded:
    r"""Text of `data`, with `\n` line ends and without control characters.

    A declared charset is taken unless the bytes contradict it: more than a tenth of what is not ASCII is
    invalid in it, or it names a legacy encoding and the bytes are valid UTF-8. Then the next declared one
    or the detected one is taken, and a warning says so.

    Args:
        data: The bytes.
        declared: Charset labels, the most trusted first (HTTP header, then the document itself).
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding)
    labels = [label for label in declared if label]
    fitting = (name for name in map(_known, labels) if name and not _contradicts(data, name))
    encoding = next(fitting, "") or _detect(data)
    return _decoded(data, encoding, _remark(labels, encoding))


def clean(text: str) -> str:
    r"""`text` with `\n` line ends and without control characters and byte order marks."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub(lambda found: "\n" if found[0] in _LINE_ENDS else "", text)


def _known(label: str) -> str:
    """Python's name of the web encoding that `label` means, or empty when it is none."""
    label = label.strip().lower().removeprefix("x-")
    try:
        name = codecs.lookup(_LABELS.get(label, label)).name
    except (LookupError, ValueError):
        return ""
    name = _SUPERSETS.get(name, name)
    return name if name in _KNOWN else ""


def _contradicts(data: bytes, encoding: str) -> bool:
    if not encoding.startswith("utf") and _is_utf8(data):
        return True
    text = data.decode(encoding, "replace")
    lost = text.count("\ufffd")
    return lost > 0 and 10 * lost > _count_non_ascii(text)


def _is_utf8(data: bytes) -> bool:
    try:
        # Two legacy letters can form a valid sequence by chance; a text whose letters all do is UTF-8.
        return _count_non_ascii(data.decode("utf-8")) >= 3
    except UnicodeDecodeError:
        return False


def _count_non_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _detect(data: bytes) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return _guess(data[:_SAMPLE_BYTES])
    return "utf-8"


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    matches = from_bytes(data, cp_isolation=list(_GUESSED))
    best = matches.best()
    if not best:
        return _USUAL
    equals = (m for m in matches if (m.chaos, m.coherence) == (best.chaos, best.coherence))
    return _USUAL if any(_USUAL in m.could_be_from_charset for m in equals) else _known(best.encoding)


def _decoded(data: bytes, encoding: str, *warnings: str) -> Decoded:
    text = data.decode(encoding, "replace")
    lost = text.count("\ufffd")
    broken = f"{lost} characters are not valid {encoding} and became U+FFFD." if lost else ""
    return Decoded(clean(text), encoding, tuple(filter(None, (*warnings, broken))))


def _remark(labels: list[str], encoding: str) -> str:
    if labels and _known(labels[0]) != encoding:
        return f"The declared charset {labels[0]!r} does not fit the bytes; they were read as {encoding}."
    if not labels and encoding != "utf-8":
        return f"No charset is declared; {encoding} was guessed."
    return ""
