"""Programming languages whose grammars can be had, by the names they go by."""

from __future__ import annotations

import importlib
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from jina_components.core.names import resolve_name
from jina_components.errors import MissingDependencyError

if TYPE_CHECKING:
    from tree_sitter import Language, Tree

MARKDOWN = "markdown"

# tree-sitter asks every 100 steps whether to go on.
_BYTES_A_CALL, _FEWEST_CALLS = 5, 1000
_SLICE = 4096


class _Grammar(NamedTuple):
    package: str
    function: str = "language"
    aliases: tuple[str, ...] = ()


# Each package carries its grammar compiled: nothing is fetched or built where it runs.
_GRAMMARS = {
    "bash": _Grammar("tree_sitter_bash", aliases=("sh", "shell", "zsh")),
    "c": _Grammar("tree_sitter_c", aliases=("h",)),
    "cpp": _Grammar("tree_sitter_cpp", aliases=("c++", "cc", "cxx", "hpp")),
    "csharp": _Grammar("tree_sitter_c_sharp", aliases=("c#", "cs")),
    "go": _Grammar("tree_sitter_go", aliases=("golang",)),
    "java": _Grammar("tree_sitter_java"),
    "javascript": _Grammar("tree_sitter_javascript", aliases=("js", "jsx", "mjs", "cjs", "node")),
    "kotlin": _Grammar("tree_sitter_kotlin", aliases=("kt", "kts")),
    "lua": _Grammar("tree_sitter_lua"),
    "php": _Grammar("tree_sitter_php", "language_php"),
    "python": _Grammar("tree_sitter_python", aliases=("py", "python3", "pyi")),
    "ruby": _Grammar("tree_sitter_ruby", aliases=("rb",)),
    "rust": _Grammar("tree_sitter_rust", aliases=("rs",)),
    "scala": _Grammar("tree_sitter_scala"),
    "swift": _Grammar("tree_sitter_swift"),
    "tsx": _Grammar("tree_sitter_typescript", "language_tsx"),
    "typescript": _Grammar("tree_sitter_typescript", "language_typescript", ("ts", "mts", "cts")),
}
_NAMES = {alias: name for name, grammar in _GRAMMARS.items() for alias in (name, *grammar.aliases)}
LANGUAGES = tuple(_GRAMMARS)
"""Canonical names of the programming languages."""


def resolve_language(name: str) -> str:
    """Canonical name of a programming language, or `markdown`.

    Raises:
        UnknownNameError: there is no grammar of this name.
    """
    return resolve_name({**_NAMES, MARKDOWN: MARKDOWN, "md": MARKDOWN}, name, what="language")


def known_language(tag: str) -> str | None:
    """Canonical name for the tag of a fenced block, or None where there is no grammar for it."""
    return _NAMES.get(tag.lower())


@cache
def load_grammar(name: str) -> Language:
    """The grammar of a canonical name.

    Raises:
        MissingDependencyError: tree-sitter or the grammar's package is not installed.
    """
    grammar = _GRAMMARS[name]
    try:
        from tree_sitter import Language

        return Language(getattr(importlib.import_module(grammar.package), grammar.function)())
    except ImportError as error:
        raise MissingDependencyError(
            f"Cutting {name} code by its syntax needs tree-sitter and {grammar.package.replace('_', '-')}: "
            "pip install 'jina-components[code]'."
        ) from error


def load_parser(name: str) -> None:
    """What `parse` will need of a language, loaded now; for `markdown`, the parser without a grammar.

    Raises:
        MissingDependencyError: as `load_grammar`.
    """
    load_grammar(name if name in _GRAMMARS else "python")


def parse(source: bytes, name: str) -> Tree | None:
    """The syntax tree of UTF-8 text; one with errors still has a tree. Linear time.

    None where repairing errors takes tree-sitter some 20 steps a byte; it may need a number that grows with the square
    of the text, code without errors needs about one.

    Raises:
        MissingDependencyError: as `load_grammar`.
    """
    language = load_grammar(name)
    from tree_sitter import Parser

    calls = count()
    most = _FEWEST_CALLS + len(source) // _BYTES_A_CALL
    try:
        return Parser(language).parse(
            # Given the bytes themselves, it would ask nobody whether to go on. Before 0.26.1, asking crashed it.
            lambda start, _: source[start : start + _SLICE],
            progress_callback=lambda *_: next(calls) > most,
        )
    except ValueError:  # its way to say that it was stopped
        return None
