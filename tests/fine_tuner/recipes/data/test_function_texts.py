"""The functions of the standard library, as texts."""

from __future__ import annotations

import ast
import sysconfig
from pathlib import Path

from jina_components.fine_tuner.recipes.data.texts import documented_functions


def test_the_source_of_a_function_is_its_own():
    path = Path(sysconfig.get_path("stdlib")) / "textwrap.py"
    found = [function for function in documented_functions() if function.name.startswith("textwrap.py:")]
    assert len(found) > 10
    for function in found:
        assert function.source == ast.get_source_segment(path.read_text(encoding="utf-8"), function.tree)
        assert function.source.startswith(f"def {function.tree.name}(")
