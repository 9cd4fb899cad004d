"""Chat completions as OpenAI's wire has them, right and wrong ones (API reference, "Chat Completions")."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from jina_components.errors import ConfigError
from jina_components.types import Usage

_CREATED = 1_700_000_000
_PIECE = re.compile(r"\s*\S+|\s+")
_ERRORS: Mapping[int, tuple[str, str, str]] = {
    400: ("invalid_request_error", "", "The request is not valid."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    402: ("insufficient_quota", "insufficient_quota", "You exceeded your current quota."),
    403: ("permission_error", "", "You are not allowed to use this model."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist."),
    429: ("rate_limit_error", "rate_limit_exceeded", "Rate limit reached."),
    503: ("server_error", "", "The engine is currently overloaded."),
}
_MESSAGES: Mapping[str, str] = {
    "context_length_exceeded": "This model's maximum context length is 8192 tokens. Please reduce the messages.",
    "content_filter": "The prompt was filtered by the content management policy.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedReply:
    """What a `ScriptedChatServer` answers where that is more than a text: what goes wrong on a real wire.

    Attributes:
        text: What the model says.
        status: HTTP status; one that is not 200 comes with an error of OpenAI's form, without text.
        code: The error's code, such as `context_length_exceeded` or `content_filter` (both with status 400); empty for
            the one that belongs to the status.
        message: The error's message; empty for one that belongs to the code or status.
        retry_after: Seconds, as the header `Retry-After` of an error; None for no such header.
        refusal: A refusal in the place of the text.
        finish_reason: `stop`, `length`, `content_filter`, `tool_calls`, or anything else.
        tool_calls: Names of functions with their arguments as JSON; without a text, the content is null.
        usage: The tokens to report: true ones, counted by words (`counted`), none (`missing`), or others.
        delay: Seconds before the answer begins.
        drip: Seconds between the chunks of a stream.
        broken: Where the connection is lost: `before` the answer, `within` it; or `error`, which a stream reports in
            its middle, and which else comes as an error with status 200.
        body: Sent as it is in the place of the completion or the error, or as one more chunk in the middle of a stream:
            what is no JSON, or no completion.

    Raises:
        ConfigError: a time is negative, or `status` is none of HTTP.
    """

    text: str = ""
    status: int = 200
    code: str = ""
    message: str = ""
    retry_after: float | None = None
    refusal: str = ""
    finish_reason: str = "stop"
    tool_calls: tuple[tuple[str, str], ...] = ()
    usage: Usage | Mapping[str, Any] | Literal["counted", "missing"] = "counted"
    delay: float = 0.0
    drip: float = 0.0
    broken: Literal["", "before", "within", "error"] = ""
    body: str | None = None

    def __post_init__(self) -> None:
        if min(self.delay, self.drip, self.retry_after or 0) < 0:
            raise ConfigError("delay, drip and retry_after must not be negative.")
        if not 200 <= self.status <= 599:
            raise ConfigError(f"status must be from 200 to 599, got {self.status}.")


Scripted: TypeAlias = str | Mapping[str, Any] | ScriptedReply
"""A reply of a script: a text, an object to be sent as JSON, or anything else."""


def as_reply(scripted: Scripted) -> ScriptedReply:
    """The same as a `ScriptedReply`.

    Raises:
        ConfigError: it is none of these.
    """
    if isinstance(scripted, ScriptedReply):
        return scripted
    if isinstance(scripted, str):
        return ScriptedReply(text=scripted)
    if isinstance(scripted, Mapping):
        return ScriptedReply(text=json.dumps(dict(scripted), ensure_ascii=False))
    raise ConfigError(f"A scripted reply must be str, a mapping or ScriptedReply, got {type(scripted).__name__}.")


def error_body(reply: ScriptedReply) -> dict[str, Any]:
    """The body of an error."""
    kind, code, message = _ERRORS.get(reply.status, ("server_error", "", "The server had an error."))
    message = reply.message or _MESSAGES.get(reply.code, message)
    return {"error": {"message": message, "type": kind, "param": None, "code": reply.code or code or None}}


def completion(reply: ScriptedReply, request: Mapping[str, Any], *, number: int) -> dict[str, Any]:
    """The body that answers a request, without streaming."""
    calls = [
        {"id": f"call_{number}_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for index, (name, arguments) in enumerate(reply.tool_calls)
    ]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if reply.refusal or (calls and not reply.text) else reply.text,
        "refusal": reply.refusal or None,
    }
    if calls:
        message["tool_calls"] = calls
    body: dict[str, Any] = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": _CREATED,
        "model": request.get("model"),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}],
    }
    if reply.usage != "missing":
        body["usage"] = _usage(reply, request)
    return body


def chunks(body: Mapping[str, Any], *, with_usage: bool) -> Iterator[dict[str, Any]]:
    """The same completion as the chunks of a stream: role, pieces of the text, reason of its end, and usage."""
    choice = body["choices"][0]
    message = choice["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None if message.get("content") is None else ""}]
    deltas += [{"content": piece} for piece in _PIECE.findall(message.get("content") or "")]
    deltas += [{"refusal": piece} for piece in _PIECE.findall(message.get("refusal") or "")]
    deltas += [{"tool_calls": [{"index": index, **call}]} for index, call in enumerate(message.get("tool_calls") or ())]
    ends = [None] * len(deltas) + [choice.get("finish_reason")]
    common = {"id": body["id"], "object": "chat.completion.chunk", "created": body["created"], "model": body["model"]}
    if with_usage:
        common["usage"] = None
    for delta, end in zip([*deltas, {}], ends, strict=True):
        yield {**common, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}]}
    if with_usage and "usage" in body:
        yield {**common, "choices": [], "usage": body["usage"]}


def _usage(reply: ScriptedReply, request: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(reply.usage, Mapping):
        return dict(reply.usage)
    usage = reply.usage
    if not isinstance(usage, Usage):
        asked = sum(_words(message.get("content")) for message in request["messages"])
        said = [reply.text, reply.refusal, *(part for call in reply.tool_calls for part in call)]
        usage = Usage(asked, sum(map(_words, said)))
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


def _words(content: str | Sequence[Mapping[str, Any]] | None) -> int:
    if isinstance(content, str):
        return len(content.split())
    return sum(len(part.get("text", "").split()) for part in content or ())
