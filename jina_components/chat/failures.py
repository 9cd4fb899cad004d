"""What a chat server's errors mean, by what they say: a conversation that is too long, a refusal, a missing feature.

Every server words them in its own way, and few give codes. The wordings are those of the servers' documentation and
sources; longer lists of the same kind are in the projects pi-mono (packages/ai, overflow.ts) and LiteLLM
(exception_mapping_utils.py).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from jina_components.errors import ChatError, ContextOverflowError, RefusalError
from jina_components.net.api import ApiStatusError

# The conversation is too long.
_OVERFLOWS = (
    r"context[_ ]length[_ ]exceeded|context[_ ]window[_ ]exceeded",  # the code of OpenAI, Groq, DeepSeek, z.ai …
    r"maximum context length|exceeds the context window",  # OpenAI, vLLM, SGLang, Mistral, OpenRouter, DeepSeek
    r"string_above_max_length",  # OpenAI, of one message
    r"longer than the (?:maximum model|model's context) length",  # vLLM, SGLang
    r"exceed_context_size_error|exceeds? the available context size",  # llama.cpp
    r"input length exceeds (?:the )?(?:maximum )?context length|exceeded (?:max )?context length",  # Ollama
    r"(?:greater than the|the model is loaded with) context length",  # LM Studio
    r"context window exceeds|exceeded model token limit|prompt exceeds max length",  # MiniMax, Moonshot, Zhipu
    r"range of input length should be",  # DashScope
    r"inputs` tokens \+ `max_new_tokens` must be|inputs` must have less than",  # TGI, Together
    r"prompt is too long|exceed context limit",  # Anthropic
    r"input token count .{0,40}exceeds the maximum",  # Gemini
    r"maximum prompt length is",  # xAI
    r"input is too long for requested model",  # Bedrock
    r"reduce the length of (?:the|your) (?:messages|prompt|input)",  # Groq, OpenAI
    r"prompt token count .{0,40}exceeds the limit|max_prompt_tokens_exceeded",  # GitHub
    r"too many tokens:|request too large for",  # Cohere; OpenAI and Groq, of what no waiting helps
)
# The conversation, or the reply, is not wanted.
_REFUSALS = (
    r"""["']content_filter["']|content management policy|ResponsibleAIPolicyViolation""",  # Azure
    r"content_policy_violation|violat\w+ (?:our|of our) usage polic|flagged as potentially violating",  # OpenAI
    r"Content Exists Risk",  # DeepSeek
    r"data_inspection_failed|DataInspectionFailed",  # DashScope
    r"prompt was blocked|PROHIBITED_CONTENT",  # Gemini
)


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL)


_OVERFLOW, _REFUSAL = _any_of(_OVERFLOWS), _any_of(_REFUSALS)
_TOO_LARGE = 413
# Groq answers a reply that it cannot hold to the schema with an error too.
_FORM = _any_of(
    (
        r"response.?(?:format|schema)|json.?schema|json.?object|json_validate_failed|output.?format|additionalProperties",
        r"structured.?output|guided|grammar",
    )
)
# Fields that not every server takes.
_FEATURES = {
    "temperature": _any_of((r"temperature.{0,40}(?:not support|unsupported|deprecated)",)),
    "stream_options": _any_of((r"stream.?options|include.?usage",)),
    "max_tokens": _any_of((r"max_completion_tokens",)),
    "json_schema": _FORM,
    "json_object": _FORM,
}
_REFUSED = frozenset({400, 404, 422, 500, 501})  # llama.cpp long sent 500


def chat_error(message: str, *, status: int, words: str) -> ChatError:
    """The error that a server's answer stands for.

    Args:
        message: For people.
        status: The HTTP status; 0 for none.
        words: What the server says, as it came.
    """
    if status == _TOO_LARGE or _OVERFLOW.search(words):
        return ContextOverflowError(message, status)
    return (RefusalError if _REFUSAL.search(words) else ChatError)(message, status)


def refused_feature(error: ApiStatusError, used: Collection[str]) -> str | None:
    """The feature among those used that a server refuses; None where its error is of another kind."""
    if error.status_code not in _REFUSED:
        return None
    return next((name for name, pattern in _FEATURES.items() if name in used and pattern.search(error.words)), None)
