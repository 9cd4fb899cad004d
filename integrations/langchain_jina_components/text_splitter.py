"""LangChain's text splitter over our segmenter."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from langchain_core.documents import Document
from langchain_text_splitters import TextSplitter
from pydantic import ConfigDict

from jina_components import Segmenter
from jina_components.errors import ConfigError, InputError
from jina_components.models.tokenizers import Tokenizer
from jina_components.protocols import SupportsSegment
from jina_components.remote import RemoteSegmenter
from jina_components.segmenter.segmenter import LengthUnit
from jina_components.types import Chunk, Segmentation
from langchain_jina_components.remote import RemoteByArgument

# What a segmenter calls the settings.
_NAMES = {
    "chunk_size": "max_chunk_length", "chunk_overlap": "overlap", "length_unit": "length_unit",
    "tokenizer": "tokenizer",
}  # fmt: skip
_ON_SERVERS = {"chunk_size", "tokenizer"}


class _Server(RemoteByArgument):
    model_config = ConfigDict(title="JinaTextSplitter")  # by which errors name it


class JinaTextSplitter(TextSplitter):
    """LangChain's `TextSplitter` over a `Segmenter`, which cuts at the best places within a limit, here or on a server.

    Documents keep their metadata, and have under `heading` the headings that a chunk stands under (`Install > Linux`),
    where there are any. Chunks of white space are left out.

    Args:
        segmenter: Anything with `segment` and its twin `asegment`; None for one of the settings below.
        chunk_size: Longest chunk, in units of `length_unit`; by default 1,000.
        chunk_overlap: The most that a chunk repeats of the one before, in the same unit; by default nothing. Here only.
        length_unit: `characters`, the default, or `tokens`. Here only.
        tokenizer: What counts tokens, as in `Segmenter`; by default the bundled one, and `cl100k_base` on servers.
        add_start_index: Put where a chunk begins among the metadata, as `start_index`: it is
            `text[start_index : start_index + len(chunk)]`.
        strip_whitespace: Take white space off both ends of chunks.
        remote: `jina_api_key`, `base_url`, `timeout` and `max_retries`, as in `JinaEmbeddings`.

    Raises:
        ConfigError: a segmenter and settings of one are given, or a server is to do what only a `Segmenter` here does;
            or a setting makes no sense.

    Example:
        >>> splitter = JinaTextSplitter(chunk_size=24, add_start_index=True)
        >>> [each.metadata for each in splitter.create_documents(["It rains. We stay inside."])]
        [{'start_index': 0}, {'start_index': 10}]
    """

    def __init__(
        self,
        *,
        segmenter: SupportsSegment | None = None,
        chunk_size: int | None = None,
        chunk_overlap: int | None = None,
        length_unit: LengthUnit | None = None,
        tokenizer: str | os.PathLike[str] | Tokenizer | None = None,
        add_start_index: bool = False,
        strip_whitespace: bool = True,
        **remote: Any,
    ) -> None:
        asked = {
            "chunk_size": chunk_size, "chunk_overlap": chunk_overlap, "length_unit": length_unit,
            "tokenizer": tokenizer,
        }  # fmt: skip
        given = {name: value for name, value in asked.items() if value is not None}
        if segmenter is not None and (given or remote):
            names = ", ".join([*given, *remote])
            raise ConfigError(f"JinaTextSplitter takes either segmenter or settings of one; got {names} too.")
        self._is_own = segmenter is None
        self._segmenter: Any = _made(given, _Server(**remote)) if segmenter is None else segmenter
        super().__init__(
            chunk_size or 1000,
            chunk_overlap or 0,
            add_start_index=add_start_index,
            strip_whitespace=strip_whitespace,
        )

    def split_text(self, text: str) -> list[str]:
        """The texts of the chunks; raises what the segmenter raises."""
        return [chunk.text for chunk in self._chunks(self._segmenter.segment(text))]

    def create_documents(
        self, texts: Sequence[str], metadatas: Sequence[Mapping[Any, Any]] | None = None
    ) -> list[Document]:
        """The chunks of texts as documents, with the metadata of their text.

        Raises:
            InputError: another number of metadata than texts; or what the segmenter raises.
        """
        found = [self._segmenter.segment(text) for text in texts]
        return self._documents(found, metadatas)

    async def atransform_documents(
        self,
        documents: Sequence[Document],
        **kwargs: Any,  # noqa: ARG002 (as LangChain has it)
    ) -> list[Document]:
        """`split_documents` without blocking the event loop, several documents at a time."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._segmenter.asegment(each.page_content)) for each in documents]
        return self._documents([task.result() for task in tasks], [each.metadata for each in documents])

    def close(self) -> None:
        """Give memory and connections of a segmenter that was made here back; the next call opens them again."""
        if self._is_own:
            self._segmenter.close()

    def _documents(
        self, found: Sequence[Segmentation], metadatas: Sequence[Mapping[Any, Any]] | None
    ) -> list[Document]:
        if metadatas and len(metadatas) != len(found):
            raise InputError(f"There are {len(metadatas)} metadatas for {len(found)} texts.")
        return [
            Document(chunk.text, metadata={**deepcopy(dict(metadata)), **self._place(chunk)})
            for segmentation, metadata in zip(found, metadatas or [{}] * len(found), strict=True)
            for chunk in self._chunks(segmentation)
        ]

    def _chunks(self, segmentation: Segmentation) -> list[Chunk]:
        chunks = [_stripped(chunk) if self._strip_whitespace else chunk for chunk in segmentation.chunks]
        return [chunk for chunk in chunks if chunk.text.strip()]

    def _place(self, chunk: Chunk) -> dict[str, Any]:
        place = {"start_index": chunk.start} if self._add_start_index else {}
        return {**place, **({"heading": chunk.heading} if chunk.heading else {})}


def _made(settings: Mapping[str, Any], fields: RemoteByArgument) -> Segmenter | RemoteSegmenter:
    named = {_NAMES[name]: value for name, value in settings.items()}
    if fields.remote is None:
        return Segmenter(**named)
    if lacking := settings.keys() - _ON_SERVERS:
        raise ConfigError(
            f"A server knows no {' or '.join(sorted(lacking))}: leave it out, or pass segmenter=Segmenter(…)."
        )
    return RemoteSegmenter(fields.remote, **named)


def _stripped(chunk: Chunk) -> Chunk:
    text = chunk.text.strip()
    start = chunk.start + len(chunk.text) - len(chunk.text.lstrip())
    return replace(chunk, text=text, start=start, end=start + len(text))
