"""The chat template of a checkpoint, rendered in transformers' sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jina_components.errors import InputError, MissingDependencyError, ModelFilesError
from jina_components.types import shorten

try:
    import transformers
except ImportError as error:
    raise MissingDependencyError("This model needs torch: pip install 'jina-components[torch]'.") from error


class ChatTemplate:
    """The text that a checkpoint wants a conversation put as.

    Args:
        folder: The checkpoint.

    Raises:
        ModelFilesError: its tokenizer cannot be loaded.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # a broken folder may end in any error
            raise ModelFilesError(f"{folder}: its tokenizer cannot be loaded: {error}") from error

    def render(self, turns: Sequence[tuple[str, str]]) -> str:
        """Roles and contents as one text, up to where the model goes on.

        Raises:
            InputError: the template does not take them: many want users and assistants to take turns, and some know
                no system.
        """
        listed = [{"role": role, "content": content} for role, content in turns]
        try:
            text: str = self._tokenizer.apply_chat_template(listed, tokenize=False, add_generation_prompt=True)
        except Exception as error:  # a template may end in any error, and says by one what it does not take
            roles = shorten(", ".join(role for role, _ in turns), 100)
            raise InputError(f"The model's chat template refuses these roles ({roles}): {error}") from error
        return text
