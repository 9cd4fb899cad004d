"""A conversation as token ids, in the form of a chat model."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tokenizers import Tokenizer

from jina_components.errors import InputError

_MARK = re.compile("\ue000([0-9]+)\ue001")


class ConversationPrompt:
    """Puts what the chat template puts around turns around them.

    What looks like a special token within a turn is text: no turn can end itself and speak for another.

    Args:
        tokenizer: Of the model, for this object alone.
        render: The template: makes one text of roles and contents.
    """

    def __init__(self, tokenizer: Tokenizer, render: Callable[[Sequence[tuple[str, str]]], str]) -> None:
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self._render = render
        added = tokenizer.get_added_tokens_decoder()
        self._special = {str(token.content): number for number, token in added.items() if token.special}
        self._pattern = re.compile(
            f"({'|'.join(map(re.escape, sorted(self._special, key=len, reverse=True))) or '(?!)'})"
        )

    def encode(self, turns: Sequence[tuple[str, str]]) -> list[int]:
        """Token ids of roles and contents, with the template's own, up to where the model goes on.

        Raises:
            InputError: the template does not take them, or leaves one out.
        """
        ids: list[int] = []
        text = ""
        for piece, is_turn in self._pieces(turns):
            # The text next to a turn is tokenized together with it, as in the template's own result.
            for index, part in enumerate([piece] if is_turn else self._pattern.split(piece)):
                if index % 2 == 0:
                    text += part
                    continue
                ids += [*self._ids(text), self._special[part]]
                text = ""
        return ids + self._ids(text)

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _pieces(self, turns: Sequence[tuple[str, str]]) -> list[tuple[str, bool]]:
        """The parts of the rendered text, and whether they are a turn's.

        The template gets marks in the place of contents, but the blanks around them, which many cut off.
        """
        contents = [content.strip() for _, content in turns]
        marked = [
            (role, content.replace(core, f"\ue000{index}\ue001", 1) if core else f"{content}\ue000{index}\ue001")
            for index, ((role, content), core) in enumerate(zip(turns, contents, strict=True))
        ]
        parts = _MARK.split(self._render(marked))
        found = [int(number) for number in parts[1::2]]
        if sorted(found) != list(range(len(turns))):
            lost = next((index for index in range(len(turns)) if found.count(index) != 1), 0)
            raise InputError(f"messages[{lost}]: the model's chat template does not hold it once, as it is.", lost)
        return [(contents[int(part)], True) if odd % 2 else (part, False) for odd, part in enumerate(parts)]
