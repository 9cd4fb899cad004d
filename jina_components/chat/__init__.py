"""OpenAIChat: any model behind the OpenAI chat-completions wire."""

from jina_components.chat.openai_chat import OpenAIChat

__all__ = ["OpenAIChat"]
