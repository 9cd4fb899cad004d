"""Questions of source code: what its functions are named and what their comments say they do."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from jina_components.fine_tuner.questions.corpus import Corpus

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# How a function begins; the first group that is there is its name. A comment right above it is what it does.
_SIGNATURES = {
    "python": r"^[ \t]*(?:async[ ]+)?def[ ]+(\w+)[ ]*\((?![^\n]*\)[ ]*$)",
    "javascript": r"^[ \t]*(?:export[ ]+)?(?:default[ ]+)?(?:async[ ]+)?(?:function\*?[ ]+(\w+)[ ]*\("
    r"|(?:const|let|var)[ ]+(\w+)[ ]*=[ ]*(?:async[ ]*)?(?:\([^()]*\)|\w+)[ ]*=>)",
    "go": r"^func[ ]+(?:\([^()]*\)[ ]*)?(\w+)[ ]*\((?![^)]*:)",
    "rust": r"^[ \t]*(?:pub(?:\([^()]*\))?[ ]+)?(?:async[ ]+|const[ ]+|unsafe[ ]+)*fn[ ]+(\w+)[ ]*[(<]",
    "php": r"^[ \t]*(?:(?:public|private|protected|static|final|abstract)[ ]+)+function[ ]+&?(\w+)[ ]*\(",
    "ruby": r"^[ \t]*def[ ]+(?:self\.)?(\w+[?!]?)[ ]*(?:\([^()]*\))?[ ]*$",
    "java": r"^[ \t]*(?=[^\n(]*\b(?:public|private|protected|override|final)\b)"
    r"(?:(?:public|private|protected|static|final|synchronized|abstract|override|virtual)[ ]+)+"
    r"[\w<>\[\], ?.]+[ ](\w+)[ ]*\([^()]*\)[^;{}]*\{",
    "kotlin": r"^[ \t]*(?:\w+[ ]+)*fun[ ]+(?:<[^<>]*>[ ]*)?(?:[\w<>]+\.)?(\w+)[ ]*\(",
    "swift": r"^[ \t]*(?:\w+[ ]+)*func[ ]+(\w+)[ ]*[(<].*?(?:->[^{\n]*)?\{",
    "c": r"^(?:static[ ]+|inline[ ]+|extern[ ]+|const[ ]+|unsigned[ ]+)*\w[\w:<>]*[ *&]+(\w+)[ ]*\([^();]*\)\s*\{",
}
_COMPILED = {name: re.compile(pattern, re.MULTILINE) for name, pattern in _SIGNATURES.items()}
_DOCSTRING = re.compile(r"""[^\n]*?(?:\n[^\n]*?){0,12}?:\s*[rRuU]?("{3}|'{3})(.*?)\1""", re.DOTALL)
_COMMENT = re.compile(
    r"(?:/\*\*?(?:[^*]|\*(?!/))*\*/|(?:^[ \t]*(?://[/!]?|#)[^\n]*\n)+)[ \t\n]*(?:@\w+[^\n]*\n[ \t]*)*\Z", re.M
)
_FIRST = re.compile(
    r"[.!](?:\s|$)|\n\s*\n|(?:^|\n)\s*[:@]\w+|\b(?:Args|Arguments|Parameters|Returns|Raises|Example)s?:|>>>|\n\s*-{3,}"
)
_DECORATION = re.compile(r"^[ \t]*(?:/\*\*?|\*/?|//[/!]?|#)[ \t]?|\*/\s*$", re.MULTILINE)
_VERBS = frozenset(
    """
    add append apply assert assign attach build calculate call capitalize check clean clear clip close collect combine
    compare compress compute concatenate configure connect construct convert copy count create crop cut decode
    decompress decrypt delete deserialize detect determine discard display divide download draw drop dump edit emit
    encode encrypt ensure escape estimate evaluate execute exit expand export extract fetch fill filter find fit flatten
    flip format generate get group guess handle hash identify import index initialize insert install interpolate invert
    iterate join kill launch list load log look lowercase make map mask match measure merge modify move multiply
    normalize open order pad parse paste perform pick plot pop post prepare prettify print process prompt publish
    pull push put query quote raise read receive recursively reduce refresh register remove rename render reorder
    repeat replace request reset reshape resize resolve restart restore retrieve return reverse rotate round run sample
    save scale scan search select send serialize set setup shift show shuffle skip solve sort split squash start stop
    store strip submit subtract sum swap switch take test tokenize toggle transform translate transpose trim truncate
    try turn unescape unpack unzip update upload upper use validate verify view visit wait walk wrap write yield zip
    """.split()  # noqa: SIM905 (so many are easier to read as text)
)
_ARTICLES = re.compile(r"\b(?:the|a|an|given|specified)\s+")
_CLAUSE = re.compile(r"[,;(:]| that | which | so | where | by | using ")
_LONGEST, _STEM = 16, 4
_MARKUP = re.compile(r"(?::\w+)+:`[~.]?([^`]*)`|[`*]+")
_PREAMBLE = re.compile(
    r"(?:(?:this|an?|the|simple|small|helper|utility|convenience|internal|private|static|class|instance)\s+)*"
    r"(?:function|method|helper|utility|routine|wrapper|decorator)\s+(?:to|that|which|used to|will)\s+"
)
_NAMES = {"csharp": "c#", "c": "c"}
# Typed with the language, as nearly everybody does who has more than one in mind.
_ACTS = (
    "{d} {l}", "{l} {d}", "{d} in {l}", "{d}", "how to {d} in {l}", "{l} how to {d}", "how to {d} {l}",
    "how do i {d} in {l}", "{l} function to {d}",
)  # fmt: skip
_THINGS = ("{l} {d}", "{d} in {l}", "{d} {l}", "{d}")


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a source file.

    Attributes:
        language: What it is written in.
        name: As it is written.
        does: The first sentence of its docstring or comment, if it has one.
        span: Where docstring or comment stand.
    """

    language: str
    name: str
    does: str
    span: tuple[int, int] | None


def code_language(text: str) -> str:
    """The programming language of a text, as the segmenter names it; empty for prose, and where it is none known."""
    language, signatures = _signatures(text)
    return language if signatures else ""


def functions(text: str) -> Iterator[Function]:
    """The functions of a source text in order; none of prose."""
    language, signatures = _signatures(text)
    for place, match in enumerate(signatures):
        end = signatures[place + 1].start() if place + 1 < len(signatures) else len(text)
        name = next(filter(None, match.groups()))
        yield Function(language, name, *_documented(text, match, end, language))


def _signatures(text: str) -> tuple[str, list[re.Match[str]]]:
    """The language that finds most functions, and these; fenced code in prose does not count."""
    found = {name: list(pattern.finditer(text)) for name, pattern in _COMPILED.items()}
    language, signatures = max(found.items(), key=lambda pair: len(pair[1]))
    return language, [] if "```" in text else signatures


def _documented(text: str, signature: re.Match[str], end: int, language: str) -> tuple[str, tuple[int, int] | None]:
    if language == "python":
        docstring = _DOCSTRING.match(text, signature.end(), end)
        return (_first_sentence(docstring[2]), docstring.span(2)) if docstring else ("", None)
    comment = _COMMENT.search(text, 0, signature.start())
    return (_first_sentence(_DECORATION.sub("", comment[0])), comment.span()) if comment else ("", None)


def _first_sentence(comment: str) -> str:
    sentence = _FIRST.split(comment.strip(), maxsplit=1)[0]
    return " ".join(_MARKUP.sub(r"\1", sentence).split())


def code_questions(
    function: Function, text: str, corpus: Corpus, chance: random.Random
) -> Iterator[tuple[str, str, tuple[int, int] | None]]:
    """What somebody types who looks for such a function: words, rule, and where the code has the words."""
    label = _NAMES.get(function.language, function.language)
    does = _imperative(function.does)
    if 2 <= len(does.split()) <= _LONGEST:
        yield from (_asked(does, label, "docstring", function.span, chance) for _ in range(2))
    words = [part.lower() for part in _PARTS.findall(function.name)]
    if len(words) > 1 and words[0] in ("is", "has") and chance.random() < 0.7:
        words = ["check", "if", *(words[1:] if words[0] == "is" else words)]
    if len(words) > 1:
        yield _asked(" ".join(words), label, "name", None, chance)
    inner = {part.lower() for name in re.findall(r"[A-Za-z]\w{2,}", text) for part in _PARTS.findall(name)}
    named = {word[:_STEM] for word in words}
    fresh = (word for word in inner if len(word) > 2 and word[:_STEM] not in named)
    rare = sorted(fresh, key=lambda word: (-corpus.idf(word), word))
    spread = [word for word in rare if corpus.idf(word) < corpus.rarest]
    if len(words) + len(spread) > 2:
        yield f"{label} {' '.join([*words, *spread[:2]])}", "keywords", None


def _asked(
    does: str, label: str, kind: str, span: tuple[int, int] | None, chance: random.Random
) -> tuple[str, str, tuple[int, int] | None]:
    acts = does.split()[0] in _VERBS
    if acts and does.startswith("return ") and chance.random() < 0.6:
        does = f"get {does[7:]}"
    if chance.random() < 0.5:
        does = _ARTICLES.sub("", does)
    return chance.choice(_ACTS if acts else _THINGS).format(d=does, l=label), kind, span


def _imperative(sentence: str) -> str:
    """In small letters, and from "This method returns the sum" to "return the sum"."""
    words = _PREAMBLE.sub("", sentence.lower().rstrip(" .:;,"), count=1).split()
    if not words:
        return ""
    first = words[0]
    stems = (first, first.removesuffix("s"), first.removesuffix("es"), first.removesuffix("ies") + "y")
    words[0] = next(islice((stem for stem in stems if stem in _VERBS), 1), first)
    if len(words) > _LONGEST:
        words = _CLAUSE.split(" ".join(words), maxsplit=1)[0].split()
    return " ".join(words)
