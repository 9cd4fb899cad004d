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
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (documentation := ast.get_docstring(node)):
                source = ast.get_source_segment(text, node) or ""
                yield Function(f"{path.name}:{node.lineno}", documentation, source, node)
