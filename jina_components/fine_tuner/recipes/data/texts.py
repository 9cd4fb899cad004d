"""Texts taken apart: sentences, and the functions of the standard library."""

from __future__ import annotations

import ast
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


class Function(NamedTuple):
    """A documented function.

    Attributes:
        name: Its file and line.
        documentation: Its docstring.
        source: Its text.
        tree: Its syntax.
    """

    name: str
    documentation: str
    source: str
    tree: ast.FunctionDef


def documented_functions() -> Iterator[Function]:
    """Those of the interpreter's own library; they differ by release."""
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = path.read_text(encoding="utf-8")
        lines = text.encode().splitlines(keepends=True)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (documentation := ast.get_docstring(node)):
                yield Function(f"{path.name}:{node.lineno}", documentation, _source(lines, node), node)


def _source(lines: list[bytes], node: ast.FunctionDef) -> str:
    """The text of a node; `ast.get_source_segment` splits all of the file into lines for each."""
    own = lines[node.lineno - 1 : node.end_lineno]
    own[-1] = own[-1][: node.end_col_offset]
    own[0] = own[0][node.col_offset :]
    return b"".join(own).decode()
