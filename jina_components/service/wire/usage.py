"""What a request cost, on the wire."""

from __future__ import annotations

from pydantic import BaseModel

from jina_components.types import Usage


class TokenUsage(BaseModel):
    """Tokens that were run; twice, since some clients read the one field and some the other."""

    total_tokens: int
    prompt_tokens: int
    image_tokens: int | None = None


def usage_body(usage: Usage) -> dict[str, int]:
    """A `TokenUsage`, with tokens of images where there are any."""
    body = {"total_tokens": usage.total_tokens, "prompt_tokens": usage.prompt_tokens}
    return {**body, "image_tokens": usage.image_tokens} if usage.image_tokens else body
