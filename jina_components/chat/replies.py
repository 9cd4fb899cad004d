"""What a chat server answers: a completion as a whole, or in chunks."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from typing import Any

from jina_components.errors import ChatError, RefusalError
from jina_components.net.api import ApiStatusError
from jina_components.protocols import ChatReply
from jina_components.types import Usage, shorten

DONE = "[DONE]"

# Why a reply ended, in the words of OpenAI and Ollama, of Anthropic, and of Gemini.
_CUT = frozenset({"length", "max_tokens", "max_output_tokens", "model_context_window_exceeded"})
_FILTERED = ("content_filter", "refusal", "safety", "recitation", "blocklist", "prohibited_content", "spii")


def made_reply(
    who: str, text: str | None, *, usage: Usage, reason: str, refusal: str = "", otherwise: str = ""
) -> ChatReply:
    """The reply that a model's words are.

    Args:
        who: The model, for errors.
        text: What it says; None for nothing.
        usage: What it cost.
        reason: Why it ended, in its provider's word; empty where that is not told.
        refusal: What it says instead of replying.
        otherwise: What it did instead of saying anything.

    Raises:
        RefusalError: it refuses, or a filter stopped it.
        ChatError: it says nothing, or ended in an error.
    """
    word = reason.lower().rpartition(".")[2]  # of an enum, its member
    if refusal or word.startswith(_FILTERED):
        said = shorten(refusal, 200) or f"a content filter stopped it ({shorten(reason)})"
        raise RefusalError(f"{who} refuses: {said}")
    if word == "error":
        raise ChatError(f"{who} ended in an error: {shorten(text or '', 200)!r}.")
    if text is None and word in _CUT:
        raise ChatError(
            f"{who} reached its longest reply before its first word, as models do that think before they write: raise "
            "max_tokens."
        )
    if text is None:
        raise ChatError(f"{who} {otherwise or 'sent a reply without text'}.")
    return ChatReply(text, usage, "length" if word in _CUT else "stop")


class Reading:
    """A reply that is being read. Thoughts (`reasoning_content`) are left out.

    Lone surrogates, of which no valid text can be made, become U+FFFD.

    Args:
        model: Name of the model, for errors.

    Attributes:
        finished: Whether all of it has come.
    """

    def __init__(self, model: str) -> None:
        self.finished = False
        self._model = model
        self._pieces: list[str] = []
        # Holds back half a pair of surrogates, which a stream may tear apart.
        self._decoder = codecs.getincrementaldecoder("utf-16-le")("replace")
        self._reason = ""
        self._refusal = ""
        self._has_text = self._calls_tools = False
        self._usage = Usage()
        self._last: object = None

    def take_event(self, data: str) -> str:
        """What an event of a stream adds to the text; raises as `take`."""
        try:
            body = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ChatError(f"Chat model {self._model!r} sent a stream of no JSON: {shorten(data, 200)!r}.") from error
        return self.take(body)

    def take(self, body: object) -> str:
        """What a completion, or a chunk of one, adds to the text.

        Raises:
            ApiStatusError: it is the server's error, sent with status 200 or in the middle of a stream.
            ChatError: it is neither.
        """
        if not isinstance(body, dict):
            raise self._out_of_form(body)
        if (error := server_error(body)) is not None:
            raise error
        self._last = body
        self._usage = _usage(body.get("usage")) or self._usage
        choices = body.get("choices") or []
        if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
            raise self._out_of_form(body)
        return "".join([self._take_choice(choice) for choice in choices if choice.get("index", 0) in (0, None)])

    def _take_choice(self, choice: Mapping[str, Any]) -> str:
        whole, reason = choice.get("message"), choice.get("finish_reason")
        message = whole or choice.get("delta") or {}
        if not isinstance(message, dict):
            raise self._out_of_form(choice)
        if isinstance(reason, str) and reason:
            self._reason = reason
        self.finished = self.finished or bool(whole or self._reason)
        refusal = message.get("refusal")
        self._refusal += refusal if isinstance(refusal, str) else ""
        self._calls_tools = self._calls_tools or bool(message.get("tool_calls") or message.get("function_call"))
        text = self._text(message.get("content"))
        self._has_text = self._has_text or text is not None
        return self._add((text or "").encode("utf-16-le", "surrogatepass"))

    def _text(self, content: object) -> str | None:
        """The text of a content, which may be a list of parts; those of thoughts are left out."""
        if content is None or isinstance(content, str):
            return content
        parts = [{"type": "text", "text": part} if isinstance(part, str) else part for part in _as_list(content)]
        if not all(isinstance(part, dict) for part in parts) or not isinstance(content, list):
            raise self._out_of_form(content)
        self._refusal += "".join(str(part.get("refusal")) for part in parts if part.get("type") == "refusal")
        texts = [part.get("text") for part in parts if part.get("type", "text") in ("text", "output_text")]
        return "".join(text for text in texts if isinstance(text, str)) if texts else None

    def _add(self, encoded: bytes, *, final: bool = False) -> str:
        piece = self._decoder.decode(encoded, final)
        self._pieces.append(piece)
        return piece

    def flush(self) -> str:
        """What was held back."""
        return self._add(b"", final=True)

    def reply(self) -> ChatReply:
        """The whole reply; raises as `made_reply`."""
        self.flush()
        called, last = "called a tool instead of replying", shorten(str(self._last), 200)
        return made_reply(
            f"Chat model {self._model!r}",
            "".join(self._pieces) if self._has_text else None,
            usage=self._usage,
            reason=self._reason,
            refusal=self._refusal,
            otherwise=called if self._calls_tools else f"sent a reply without text: {last}",
        )

    def _out_of_form(self, body: object) -> ChatError:
        return ChatError(f"Chat model {self._model!r} sent no chat completion: {shorten(str(body), 200)}")


def server_error(body: Mapping[str, Any]) -> ApiStatusError | None:
    """The error that an answer of status 200, or an event of a stream, is: OpenRouter, vLLM and others send such."""
    error = body if body.get("object") == "error" else body.get("error")
    if not error or body.get("choices"):
        return None
    details = error if isinstance(error, dict) else {"message": error}
    code = details.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else 0
    said = str(details.get("message") or details)
    failure = ApiStatusError(f"The server answered with an error: {shorten(said, 300)}", "", status)
    failure.words = json.dumps(details, ensure_ascii=False, default=str)[:4000]
    return failure


def _as_list(content: object) -> list[Any]:
    return content if isinstance(content, list) else []


def _usage(given: object) -> Usage | None:
    """The tokens that a server tells, without what cannot be; None where it tells none."""
    if not isinstance(given, dict):
        return None
    return Usage(*(count(given.get(name)) for name in ("prompt_tokens", "completion_tokens")))


def count(tokens: object) -> int:
    """A number of tokens, as far as it is one."""
    return tokens if isinstance(tokens, int) and not isinstance(tokens, bool) and tokens > 0 else 0
