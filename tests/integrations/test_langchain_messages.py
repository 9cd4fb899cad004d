from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages import ChatMessage as LangChainMessage
from langchain_jina_components import ChatJinaDeepSearch
from langchain_jina_components.messages import conversation

from jina_components import ChatMessage, DeepSearchAgent, Embedder, Image, Reranker, Retriever
from jina_components.errors import InputError

PIXEL = "iVBORw0KGgo="
PDF = "application/pdf"
QUESTION = "When did the Holm Bridge open?"


def test_what_a_message_holds() -> None:
    text = {"type": "text", "text": "Look."}
    said = conversation(
        [
            SystemMessage("Be brief."),
            HumanMessage([text, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}]),
            AIMessage([{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "A pixel."}]),
            AIMessage("", tool_calls=[{"name": "look", "args": {}, "id": "1"}]),
            ToolMessage("It is red.", tool_call_id="1"),
            HumanMessage(
                [
                    text,
                    {"type": "image", "url": "https://example.com/a.png"},
                    {"type": "image", "base64": PIXEL, "mime_type": "image/png"},
                    {"type": "file", "base64": "JVBERg==", "mime_type": PDF, "extras": {"name": "a b.pdf"}},
                    {"type": "text-plain", "text": "Tides, größer", "mime_type": "text/plain", "title": "t.txt"},
                ]
            ),
        ]
    )  # fmt: skip
    assert said == [
        ChatMessage("system", "Be brief."),
        ChatMessage("user", "Look.", (Image(f"data:image/png;base64,{PIXEL}"),)),
        ChatMessage("assistant", "A pixel."),
        ChatMessage("assistant", ""),
        ChatMessage("assistant", "It is red."),
        ChatMessage(
            "user",
            "Look.",
            (Image("https://example.com/a.png"), Image(f"data:image/png;base64,{PIXEL}")),
            (
                "data:application/pdf;name=a%20b.pdf;base64,JVBERg==",
                "data:text/plain;charset=utf-8;name=t.txt,Tides%2C%20gr%C3%B6%C3%9Fer",
            ),
        ),
    ]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "url": "/etc/passwd"},
        {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
        {"type": "file", "url": "/etc/passwd"},
        {"type": "file", "url": "https://example.com/a.pdf"},
        {"type": "file", "file_id": "file-1"},
        {"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"},
        {"type": "something else", "text": "x"},
    ],
)
def test_what_cannot_be_sent_and_paths_above_all(block: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"messages\[1\]\.content\[0\]") as raised:
        conversation([SystemMessage("Hello"), HumanMessage([block])])
    assert raised.value.index == 1


def test_a_role_of_ones_own_is_none() -> None:
    with pytest.raises(InputError, match="no role"):
        conversation([LangChainMessage("Hello", role="critic")])


@pytest.mark.parametrize("question", [QUESTION, [("system", "Be brief."), HumanMessage([QUESTION])]])
def test_texts_of_any_release_are_asked_and_answered(question: Any, bundled_embedder: Embedder) -> None:
    with Retriever(bundled_embedder) as retriever:
        retriever.add(["The Holm Bridge over the Ness opened in 1952.", "Bread is made of flour, water and salt."])
        model = ChatJinaDeepSearch(agent=DeepSearchAgent(retriever, reranker=Reranker()))
        message = model.invoke(question)
        *_, last = [chunk.content for chunk in model.stream(question) if chunk.content]
    thoughts, said = message.content
    assert (thoughts["type"], said["type"], said["annotations"][0]["type"]) == ("reasoning", "text", "citation")
    assert said["text"] == last[0]["text"] == "The Holm Bridge over the Ness opened in 1952.[^1]"
