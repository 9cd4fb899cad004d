"""A question into a cited answer, in Haystack."""

import base64
import inspect
from contextlib import aclosing, closing
from dataclasses import asdict
from typing import Any, ClassVar

from haystack import Document, component
from haystack.dataclasses import ChatMessage, StreamingChunk
from haystack.dataclasses.streaming_chunk import StreamingCallbackT, select_streaming_callback
from haystack.utils import Secret

from haystack_jina_components.component import JINA_API_KEY, JinaComponent
from jina_components.core.inputs import as_list
from jina_components.deep_search_options import DeepSearchOptions
from jina_components.errors import ConfigError, InputError
from jina_components.protocols import ChatMessage as OurMessage
from jina_components.protocols import SupportsDeepSearch
from jina_components.remote import RemoteDeepSearch
from jina_components.types import Answer, Citation, DeepSearchStep, Image

_ROLES = ("system", "user", "assistant")
_FACTS = ("answered", "ended", "visited_urls", "read_urls", "num_urls", "images", "warnings", "value")


@component
class JinaDeepSearch(JinaComponent):
    """Searches, reads and reasons until a question is answered, with citations: a chat generator of Haystack.

    With a key or a `base_url` a server searches; a `DeepSearchAgent` here has to be told where, and so is given.

    Args:
        api_key: Key of the server; by default `JINA_API_KEY` of the environment, if it is set.
        model: The agent's name on a server; None for `jina-deepsearch-v1`.
        streaming_callback: Called with each step as it is taken, whose words are in `meta["step"]`, and at last with
            the answer as the content.
        generation_kwargs: Options of the search by the names of `DeepSearchOptions`: `{"reasoning_effort": "low"}`.
        base_url: The root of a server of `jina-components serve`; None, where there is a key, for Jina's.
        agent: A `DeepSearchAgent` of ours, or another with its methods.
        timeout: Seconds from one event of a server to the next.
        max_retries: Further attempts of a request of a server that failed for a reason that may pass.

    Raises:
        ConfigError: neither an agent nor a server, or both, or a setting that makes no sense.

    Example:
        >>> search = JinaDeepSearch(agent=DeepSearchAgent(retriever, reranker=Reranker()))
        >>> search.run("How high are the tides in the Bay of Fundy?")["replies"][0].text
        'They reach 16 metres.[^1]'
    """

    part: ClassVar[str] = "agent"

    def __init__(
        self,
        api_key: Secret | None = JINA_API_KEY,
        model: str | None = None,
        streaming_callback: StreamingCallbackT | None = None,
        generation_kwargs: dict[str, Any] | None = None,
        *,
        base_url: str | None = None,
        agent: SupportsDeepSearch | None = None,
        timeout: float = 180.0,
        max_retries: int = 2,
    ) -> None:
        self.api_key = api_key
        self.model = model
        self.streaming_callback = streaming_callback
        self.generation_kwargs = generation_kwargs or {}
        self.base_url = base_url
        self.agent = agent
        self.timeout = timeout
        self.max_retries = max_retries
        self._how(None)  # refuses what makes no sense
        server = self._remote()
        if agent is not None and (isinstance(agent, type) or not isinstance(agent, SupportsDeepSearch)):
            raise ConfigError(f"agent must have stream and astream, such as a DeepSearchAgent, got {agent!r}.")
        if agent is None and server is None:
            raise ConfigError(
                "JinaDeepSearch needs whom to ask: agent=DeepSearchAgent(…), a key (api_key, or JINA_API_KEY in the "
                "environment), or base_url, that of a server."
            )
        if server is not None:
            self.model = model or "jina-deepsearch-v1"
            self._component = RemoteDeepSearch(server, model=self.model)
        else:
            self._component = agent

    @component.output_types(replies=list[ChatMessage], documents=list[Document])
    def run(
        self,
        messages: list[ChatMessage] | str,
        streaming_callback: StreamingCallbackT | None = None,
        generation_kwargs: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Answer a question.

        Args:
            messages: The conversation that ends with the question, or the question alone.
            streaming_callback: Takes the place of the constructor's.
            generation_kwargs: Take the place of the constructor's, each by its name.

        Returns:
            `replies`, one message, whose `meta` has the citations, the usage and what else an `Answer` tells; and
            `documents`, the quotes that it cites, in the order of their marks.

        Raises:
            TypeError: something else than messages.
            InputError: no question, or a message that is of no person.
            ConfigError: an option makes no sense.
        """
        callback = select_streaming_callback(self.streaming_callback, streaming_callback, requires_async=False)
        answer: Any = None
        with closing(self._component.stream(_conversation(messages), options=self._how(generation_kwargs))) as steps:
            for step in steps:
                answer = step.answer
                if callback is not None:
                    callback(_chunk(step))
        return self._result(answer)

    @component.output_types(replies=list[ChatMessage], documents=list[Document])
    async def run_async(
        self,
        messages: list[ChatMessage] | str,
        streaming_callback: StreamingCallbackT | None = None,
        generation_kwargs: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """`run` without blocking the event loop; cancelling ends the search."""
        callback: Any = select_streaming_callback(self.streaming_callback, streaming_callback, requires_async=True)
        answer: Any = None
        asked = self._component.astream(_conversation(messages), options=self._how(generation_kwargs))
        async with aclosing(asked) as steps:
            async for step in steps:
                answer = step.answer
                if callback is not None:
                    told = callback(_chunk(step))
                    if inspect.isawaitable(told):
                        await told
        return self._result(answer)

    def _how(self, given: dict[str, Any] | None) -> DeepSearchOptions | None:
        wanted = {**self.generation_kwargs, **(given or {})}
        if unknown := wanted.keys() - DeepSearchOptions.__dataclass_fields__.keys():
            raise ConfigError(f"JinaDeepSearch has no {', '.join(sorted(unknown))}; see DeepSearchOptions.")
        return DeepSearchOptions(**wanted) if wanted else None

    def _result(self, answer: Answer) -> dict[str, Any]:
        usage = answer.usage
        meta = {
            "model": self.model or type(self._component).__name__,
            "finish_reason": "stop",
            "usage": {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens,
            },
            "citations": [asdict(each) for each in answer.citations],
            **{name: _plain(getattr(answer, name)) for name in _FACTS},
        }
        return {
            "replies": [ChatMessage.from_assistant(answer.text, meta=meta)],
            "documents": [_document(each) for each in answer.citations],
        }


def _conversation(messages: list[ChatMessage] | str) -> str | list[OurMessage]:
    if isinstance(messages, str):
        return messages
    return [_message(each, index) for index, each in enumerate(as_list(messages, what="messages"))]


def _message(message: ChatMessage, index: int) -> OurMessage:
    if not isinstance(message, ChatMessage):
        raise TypeError(f"messages[{index}] must be a ChatMessage of Haystack, got {type(message).__name__}.")
    if message.role.value not in _ROLES:
        raise InputError(f"messages[{index}] is of a {message.role.value}, not of {', '.join(_ROLES)}.", index)
    images = tuple(Image(base64.b64decode(each.base64_image)) for each in getattr(message, "images", ()))
    role: Any = message.role.value
    return OurMessage(role, "\n".join(message.texts), images)


def _chunk(step: DeepSearchStep) -> StreamingChunk:
    meta = {"kind": step.kind, "step": step.told, "urls": list(step.urls)}
    return StreamingChunk(content=step.answer.text if step.answer else "", meta=meta)


def _document(citation: Citation) -> Document:
    facts = asdict(citation)
    told = {name: fact for name, fact in facts.items() if fact not in ("", None)}
    return Document(content=told.pop("quote"), meta=told)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
