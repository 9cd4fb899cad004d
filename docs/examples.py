"""Docstrings as mkdocstrings takes them."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object


class Examples(Extension):
    """Shows what stands under `Example:` as code, which Griffe does under `Examples:` alone."""

    def on_object(self, *, obj: Object, **_: Any) -> None:  # noqa: ANN401 (whatever Griffe hands over)
        """Called for each object that is found."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
