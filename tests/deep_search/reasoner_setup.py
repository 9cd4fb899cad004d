"""A chat reasoner with everything it works with, and what its prompts hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from jina_components.deep_search.chat.asking import Asker
from jina_components.deep_search.chat.counting import count_messages
from jina_components.deep_search.chat.reasoner import ChatReasoner
from jina_components.deep_search.comparing import Comparer
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.meter import Meter
from jina_components.deep_search.state import State
from jina_components.deep_search.tools import Tools
from jina_components.deep_search_options import DeepSearchOptions
from jina_components.protocols import ChatMessage, ChatModel, ChatReply
from jina_components.testing import FakeChat, FakeJSONChat
from jina_components.types import Document

QUESTION = "How high are the highest tides, and where?"
TIDES = Document(
    "The Bay of Fundy has the highest tides in the world. They reach 16 metres.",
    metadata={"source": "https://sea.org/tides", "title": "Tides", "start": 0, "published_time": "2026-05-01"},
)
MOONS = Document("Titan is the largest moon of Saturn.", metadata={"source": "https://sky.org/moons", "title": "Moons"})

HEIGHT = {"type": "object", "properties": {"metres": {"type": "number", "maximum": 99}}, "required": ["metres"]}


class Thinking:
    """A chat reasoner, and what it is asked.

    Args:
        replies: What the model says: JSON values, or texts as they are; or a function of the conversation.
        question: What the search is for.
        messages: The conversation before it, system messages included.
        options: Of the search.
    """

    def __init__(
        self,
        replies: Sequence[Any] | Callable[[Sequence[ChatMessage]], str | ChatReply] | ChatModel,
        *,
        question: str = QUESTION,
        messages: Sequence[ChatMessage] = (),
        options: DeepSearchOptions | None = None,
        evidence: Sequence[Document] = (TIDES, MOONS),
    ) -> None:
        chosen = options or DeepSearchOptions()
        if isinstance(replies, ChatModel):
            self.chat: Any = replies
        elif callable(replies):
            self.chat = FakeChat(replies)
        else:
            self.chat = FakeJSONChat([one if isinstance(one, str | ChatReply) else json.dumps(one) for one in replies])
        turns = tuple(messages)
        if not turns or turns[-1].content != question:
            turns = (*turns, ChatMessage("user", question))
        self.state = State(question, turns, chosen, today="2026-05-20", open=[question], asked=[question], step=1)
        self.state.add(list(evidence))
        self.meter, self.journal = Meter(chosen), Journal({})
        comparer = Comparer(embedder=None, reranker=None, journal=self.journal, meter=self.meter)
        asker = Asker(self.chat, journal=self.journal, meter=self.meter)
        unused = cast("Any", None)  # a reasoner neither searches nor attributes
        self.tools = Tools(
            asker=asker, gatherer=unused, comparer=comparer, attributor=unused, journal=self.journal, meter=self.meter
        )
        self.reasoner = ChatReasoner(self.tools)

    @property
    def system(self) -> str:
        """The system message of the last prompt."""
        return self.chat.asked[-1][0].content

    @property
    def prompt(self) -> str:
        """The user's message of the last prompt."""
        return self.chat.asked[-1][1].content

    @property
    def material(self) -> dict[str, Any]:
        """The material of the last prompt."""
        return json.loads(self.prompt.split("Material:\n", 1)[1].split("\n\nTask: ", 1)[0])

    @property
    def task(self) -> str:
        """What the last prompt tells to do."""
        return self.prompt.split("\n\nTask: ", 1)[1].split("\n\nReply with one JSON object", 1)[0]

    @property
    def schema(self) -> dict[str, Any]:
        """The form that the last prompt tells."""
        return json.loads(self.prompt.rsplit("\n", 1)[1])

    @property
    def tokens(self) -> int:
        """Of the last prompt."""
        return count_messages(self.chat.asked[-1])

    def without_tools(self) -> Tools:
        """The tools without a chat model."""
        return replace(self.tools, asker=None)
