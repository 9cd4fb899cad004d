"""HTML as the prompt of a language model: cleaned, and between an instruction and a schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from jina_components.errors import InputError

# The form of the prompts and what is cleaned away are those of the card of ReaderLM-v2
# (https://huggingface.co/jinaai/ReaderLM-v2). The instruction for JSON is that of Jina's own service
# (https://github.com/jina-ai/reader, lm.ts), for the card's speaks of a list of news.
INSTRUCTIONS = {
    "html": "Extract the main content from the given HTML and convert it to Markdown format.",
    "json": "Infer useful information from the HTML and present it in a structured JSON object.",
}
"""What a model is told, unless one says what: to write Markdown, or JSON."""

_RANGE = re.compile(r"<!--(?!-?>)|<(script|style|svg)(?=[\s/>])[^>]*+(?:>|\Z)", re.IGNORECASE)
_ENDS = {
    "": re.compile("-->"),
    **{name: re.compile(rf"</{name}[^>]*+(?:>|\Z)", re.IGNORECASE) for name in ("script", "style", "svg")},
}
_EMPTY = re.compile(r"""<(?:meta|link)(?=[\s/>])(?:[^>"']|"[^"]*+"|'[^']*+'|["'])*+>?""", re.IGNORECASE)
_DATA = re.compile(r"""(?<=["'(=\s])data:[\w/+.;=-]{0,100}?;base64,[\w+/=%-]*+""", re.IGNORECASE)


def clean_html(html: str) -> str:
    """`html` without scripts, styles, comments, `<meta>`, `<link>` and SVG; embedded images become `#`.

    What is never closed is kept. Takes time in proportion to the length, whatever it holds.
    """
    pieces: list[str] = []
    kept = position = 0
    ends = dict(_ENDS)
    while begin := _RANGE.search(html, position):
        position = begin.end()
        name = (begin[1] or "").lower()
        end = ends[name].search(html, position) if name in ends and not begin[0].endswith("/>") else None
        if end is not None:
            pieces.append(html[kept : begin.start()])
            kept = position = end.end()
        elif not begin[0].endswith("/>"):
            ends.pop(name, None)  # nor does a later one find it: no text is searched twice
    return _DATA.sub("#", _EMPTY.sub("", "".join([*pieces, html[kept:]])))


def written_schema(schema: object) -> str:
    """A JSON Schema as text.

    Raises:
        InputError: it is neither str nor mapping, or is no JSON.
    """
    if isinstance(schema, str):
        return schema
    if not isinstance(schema, Mapping):
        raise InputError(f"schema must be str or a mapping, got {type(schema).__name__}.")
    try:
        return json.dumps(dict(schema), indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"schema cannot be written as JSON: {error}.") from error


def around_html(instruction: str, schema: str | None) -> tuple[str, str]:
    """What stands before and behind the HTML in a user's turn.

    Raises:
        InputError: a schema without an instruction.
    """
    if instruction:
        asked = "" if schema is None else f"\nThe JSON schema is as follows:```json\n{schema}\n```"
        return f"{instruction}\n```html\n", f"\n```{asked}"
    if schema is not None:
        raise InputError("schema needs an instruction, and this model takes none by default: pass one, or no schema.")
    return "", ""
