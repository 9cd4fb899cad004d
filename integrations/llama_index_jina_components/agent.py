"""What our language model and our query engine share: the agent that they ask, and what it tells."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Any, ClassVar

from llama_index.core.bridge.pydantic import Field, PlainSerializer

from jina_components.deep_search_options import DeepSearchOptions
from jina_components.errors import ConfigError
from jina_components.protocols import SupportsDeepSearch
from jina_components.remote import RemoteDeepSearch
from jina_components.types import Answer, Citation
from jina_components.types.codec import encode
from llama_index_jina_components.remote import RemoteFields, Written


class DeepSearchFields(RemoteFields):
    """The agent of classes that ask one, and how it searches.

    Attributes:
        agent: Such as a `DeepSearchAgent` or a `RemoteDeepSearch`; by default, with a key or `base_url`, that of a
            server.
        model: Name of the agent on a server.
        options: How to search; None for the agent's own.
    """

    part: ClassVar[str] = "agent"
    made_of: ClassVar[tuple[str, ...]] = ("model",)

    agent: Annotated[SupportsDeepSearch | None, Written] = Field(default=None, description="Searches.")
    model: str = Field(default="jina-deepsearch-v1", frozen=True, description="Name of the agent.")
    options: Annotated[DeepSearchOptions | None, PlainSerializer(encode)] = Field(
        default=None, description="How to search."
    )

    def _make(self) -> RemoteDeepSearch:
        if self.remote is None:
            name = type(self).__name__
            raise ConfigError(f"{name} takes agent=DeepSearchAgent(…) or, for a server's, api_key or base_url.")
        return RemoteDeepSearch(self.remote, model=self.model)


def facts(answer: Answer) -> dict[str, Any]:
    """What is known of an answer, but for its trace."""
    return {name: value for name, value in asdict(replace(answer, trace=None)).items() if name != "trace"}


def place(citation: Citation) -> dict[str, int]:
    """Where a quote stands in its source, as far as that is known: servers do not tell."""
    known = {"start": citation.start, "end": citation.end} if citation.end else {}
    return known if citation.page is None else {**known, "page": citation.page}
