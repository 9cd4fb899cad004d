"""What goes in: texts and images, and what they cost."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jina_components.errors import InputError

if TYPE_CHECKING:
    import PIL.Image


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a call cost, counted by the model's own tokenizer, special tokens included.

    Attributes:
        prompt_tokens: Of what went in.
        completion_tokens: Of what a model wrote.
        image_tokens: Of the prompt tokens those of images, where an `Embedder` counted them.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    image_tokens: int = field(default=0, repr=False)

    @property
    def total_tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.image_tokens + other.image_tokens,
        )


@dataclass(frozen=True, slots=True)
class Document:
    """A text with an id and metadata.

    Attributes:
        text: The text.
        id: Stable id. When empty it is derived from text and metadata, so the same document
            has the same id in every process.
        metadata: JSON values by name. Chunks of a source carry `source`, `title`, `start`, `end`
            (code points in the source's text) and, for paged sources, `page`.

    Raises:
        InputError: the text is not a string or the metadata is not JSON.
    """

    text: str
    id: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not isinstance(self.id, str):
            raise InputError(
                f"Document text and id must be str, got {type(self.text).__name__} and {type(self.id).__name__}."
            )
        try:
            canonical = json.dumps(dict(self.metadata), sort_keys=True, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"Document metadata must hold JSON values by name: {error}.") from error
        if not all(isinstance(name, str) for name in self.metadata):
            raise InputError(f"Document metadata must have str names, got {list(self.metadata)}.")
        # A copy that shares nothing with the caller's.
        object.__setattr__(self, "metadata", json.loads(canonical))
        if not self.id:
            digest = hashlib.blake2b(digest_size=12)
            for part in (self.text, canonical):
                digest.update(part.encode("utf-8", "surrogatepass"))
                digest.update(b"\0")
            object.__setattr__(self, "id", digest.hexdigest())

    def __repr__(self) -> str:
        return f"Document({shown(self)}, id={self.id!r})"


@dataclass(frozen=True, slots=True, repr=False)
class Image:
    """An image to embed.

    Attributes:
        source: The bytes of a file, a PIL image, a path; or a str: an http(s) URL, a `data:` URI, else a file's path.

    Raises:
        InputError: it is none of these, or empty.
    """

    source: str | os.PathLike[str] | bytes | PIL.Image.Image

    def __post_init__(self) -> None:
        pil = getattr(sys.modules.get("PIL.Image"), "Image", str)  # not imported: there is no PIL image
        if not isinstance(self.source, str | bytes | os.PathLike | pil) or self.source in ("", b""):
            raise InputError(f"Image takes a URL, a path, bytes or a PIL image, got {shorten(repr(self.source))}.")

    def __repr__(self) -> str:
        if isinstance(self.source, str | os.PathLike):
            return f"Image({shorten(str(self.source))!r})"
        if isinstance(self.source, bytes):
            return f"Image({len(self.source):,} bytes)"
        width, height = self.source.size
        return f"Image({self.source.mode}, {width:,} x {height:,} pixels)"


def shorten(text: str, width: int = 60) -> str:
    """`text` on one line, cut to `width` characters with an ellipsis."""
    line = " ".join(text[: width * 4].split())
    return line if len(line) <= width else line[: width - 1] + "…"


def shown(document: Document) -> str:
    """The text, and of a document without one the metadata."""
    metadata = "" if document.text.strip() or not document.metadata else f", metadata={document.metadata!r}"
    return f"{shorten(document.text)!r}{shorten(metadata, 200)}"
