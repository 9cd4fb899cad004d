"""What chat models of other libraries tell and raise: tokens, and errors as those of this one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jina_components.chat.failures import chat_error
from jina_components.chat.replies import count
from jina_components.errors import ChatError, ContextOverflowError, RefusalError
from jina_components.types import Usage, shorten

_OVERFLOWS = ("ContextOverflow", "ContextWindowExceeded")
_REFUSALS = ("ContentFilter", "ContentPolicyViolation")
# What libraries call the tokens of the prompt and of the reply: OpenAI; LangChain and Anthropic; Ollama; Gemini.
_COUNTS = (
    ("prompt_tokens", "completion_tokens"),
    ("input_tokens", "output_tokens"),
    ("prompt_eval_count", "eval_count"),
    ("prompt_token_count", "candidates_token_count"),
)


def foreign_error(model: str, error: Exception) -> ChatError:
    """The error for what another library's chat model raised, by its status, its class and its words."""
    status = _status(found(error, "status_code")) or _status(found(error, "response", "status_code"))
    name = type(error).__name__
    message = f"{model} failed ({name}): {shorten(str(error), 500) or 'it gives no reason'}"
    classes = [kind.__name__ for kind in type(error).__mro__]
    if any(mark in kind for kind in classes for mark in _OVERFLOWS):
        return ContextOverflowError(message, status)
    if any(mark in kind for kind in classes for mark in _REFUSALS):
        return RefusalError(message, status)
    words = " ".join(str(part) for part in (error, found(error, "code"), found(error, "body")) if part)
    return chat_error(message, status=status, words=words)


def foreign_usage(*sources: object) -> Usage:
    """The tokens that the first of these tells, under any of the names that providers give them; else none."""
    for source in sources:
        for names in _COUNTS:
            asked, said = (count(found(source, name)) for name in names)
            if asked or said:
                return Usage(asked, said)
    return Usage()


def found(value: object, *path: str | int) -> object:
    """What stands at a path of items or attributes; None where nothing does."""
    for name in path:
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list | tuple) and isinstance(name, int):
            value = value[name] if name < len(value) else None
        else:
            value = getattr(value, str(name), None)
    return value


def first_text(values: Iterable[object]) -> str:
    """The first text that is not empty; the name of a member of an enum is one."""
    for value in values:
        text = getattr(value, "name", value)
        if isinstance(text, str) and text:
            return text
    return ""


def _status(value: object) -> int:
    return value if isinstance(value, int) and 400 <= value <= 599 else 0
