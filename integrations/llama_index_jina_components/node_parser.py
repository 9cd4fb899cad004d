"""LlamaIndex's node parser over our segmenter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from llama_index.core.async_utils import run_jobs
from llama_index.core.bridge.pydantic import Field, SecretStr
from llama_index.core.callbacks import CallbackManager
from llama_index.core.node_parser import NodeParser
from llama_index.core.node_parser.node_utils import build_nodes_from_splits, default_id_func
from llama_index.core.schema import BaseNode, Document, TextNode
from llama_index.core.utils import get_tqdm_iterable

from jina_components import Segmenter
from jina_components.errors import ConfigError
from jina_components.protocols import SupportsSegment
from jina_components.remote import RemoteSegmenter
from jina_components.types import Segmentation
from llama_index_jina_components.remote import RemoteFields, Written

_WORKERS = 4
_PROGRESS = "Parsing nodes"


class JinaNodeParser(RemoteFields, NodeParser):
    """LlamaIndex's node parser over a `Segmenter`, which runs here or on a server.

    `start_char_idx` and `end_char_idx` of a node are exact, also where a text repeats itself: between them stands the
    node's text. Chunks of white space are left out. The Markdown headings that a chunk stands under are its `heading`
    among the metadata, unless `include_metadata` is False.

    Args:
        max_chunk_length: Longest chunk in characters.
        api_key: Key of the server; by default `JINAAI_API_KEY` or `JINA_API_KEY` of the environment.
        segmenter: Anything with `segment`, and its twin `asegment`; it may cut by tokens, with overlap or by the syntax
            of a language. None for one of the settings.
        include_metadata, include_prev_next_rel, id_func, callback_manager: As `NodeParser` has them. An `id_func` of
            your own is not written down by `to_dict`: `from_dict` takes it beside the settings.
        **settings: `base_url`, `timeout` and `max_retries` as in `RemoteFields`.

    Raises:
        ConfigError: a segmenter and settings of one are given, or one makes no sense.

    Example:
        >>> nodes = JinaNodeParser(max_chunk_length=500).get_nodes_from_documents(documents)
        >>> documents[0].text[nodes[0].start_char_idx : nodes[0].end_char_idx] == nodes[0].text
        True
    """

    part: ClassVar[str] = "segmenter"
    by_environment: ClassVar[bool] = False
    made_of: ClassVar[tuple[str, ...]] = ("max_chunk_length",)

    segmenter: Annotated[SupportsSegment | None, Written] = Field(default=None, frozen=True)
    max_chunk_length: int = Field(default=1000, frozen=True)

    def __init__(
        self,
        max_chunk_length: int = 1000,
        *,
        api_key: str | SecretStr | None = None,
        segmenter: SupportsSegment | None = None,
        include_metadata: bool = True,
        include_prev_next_rel: bool = True,
        callback_manager: CallbackManager | None = None,
        id_func: Callable[[int, BaseNode], str] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(
            max_chunk_length=max_chunk_length,
            api_key=api_key,
            segmenter=segmenter,
            include_metadata=include_metadata,
            include_prev_next_rel=include_prev_next_rel,
            callback_manager=callback_manager,
            id_func=_read_id_func(id_func) or default_id_func,
            **settings,
        )

    @classmethod
    def class_name(cls) -> str:
        """The name under which it is written down."""
        return "JinaNodeParser"

    def _parse_nodes(
        self,
        nodes: Sequence[BaseNode],
        show_progress: bool = False,
        **_: Any,
    ) -> list[BaseNode]:
        parsed: list[BaseNode] = []
        for node in get_tqdm_iterable(nodes, show_progress, _PROGRESS):
            parsed += self._cut(node, self._component.segment(node.get_content()))
        return parsed

    async def _aparse_nodes(
        self,
        nodes: Sequence[BaseNode],
        show_progress: bool = False,
        **_: Any,
    ) -> list[BaseNode]:
        jobs = [self._component.asegment(node.get_content()) for node in nodes]
        cuts = await run_jobs(jobs, show_progress=show_progress, workers=_WORKERS, desc=_PROGRESS)
        return [each for node, cut in zip(nodes, cuts, strict=True) for each in self._cut(node, cut)]

    def _cut(self, node: BaseNode, segmentation: Segmentation) -> list[TextNode]:
        chunks = [chunk for chunk in segmentation.chunks if not chunk.text.isspace()]
        made = build_nodes_from_splits([chunk.text for chunk in chunks], node, id_func=self.id_func)
        for each, chunk in zip(made, chunks, strict=True):
            each.start_char_idx, each.end_char_idx = chunk.start, chunk.end
            if self.include_metadata and chunk.heading:
                each.metadata = {"heading": chunk.heading}
        return made

    def _postprocess_parsed_nodes(self, nodes: list[BaseNode], parent_doc_map: dict[str, Document]) -> list[BaseNode]:
        # The base looks for each text in the document again, and may find it too early.
        cut = [node for node in nodes if isinstance(node, TextNode)]
        offsets = [(node.start_char_idx, node.end_char_idx) for node in cut]
        parsed = super()._postprocess_parsed_nodes(nodes, parent_doc_map)
        for node, (start, end) in zip(cut, offsets, strict=True):
            node.start_char_idx, node.end_char_idx = start, end
        return parsed

    def _make(self) -> Segmenter | RemoteSegmenter:
        if self.remote:
            return RemoteSegmenter(self.remote, max_chunk_length=self.max_chunk_length)
        return Segmenter(max_chunk_length=self.max_chunk_length)


def _read_id_func(id_func: object) -> Any:
    """What `to_dict` wrote of the default; LlamaIndex does not read it itself."""
    if not isinstance(id_func, Mapping):
        return id_func
    if id_func.get("id_func_name") != default_id_func.__name__:
        raise ConfigError(f"The id_func {id_func.get('id_func_name')!r} is not written down: pass it to from_dict.")
    return None
