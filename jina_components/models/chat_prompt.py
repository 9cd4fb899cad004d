"""A user's turn as token ids, in the form of a chat model, within a budget."""

from __future__ import annotations

import re

from tokenizers import Encoding, Tokenizer

from jina_components.errors import InputError


class ChatPrompt:
    """Puts what the chat template puts around a user's turn around it.

    What looks like a special token within the turn is text: a page cannot end the user's turn and speak for another.

    Args:
        tokenizer: Of the model.
        before: What the template puts before the turn.
        after: What it puts behind it, up to where the model goes on.
    """

    def __init__(self, tokenizer: Tokenizer, before: str, after: str) -> None:
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        added = tokenizer.get_added_tokens_decoder()
        self._special = {str(token.content): number for number, token in added.items() if token.special}
        pattern = re.compile("|".join(map(re.escape, sorted(self._special, key=len, reverse=True))) or r"(?!)")
        # The text next to the turn is tokenized together with it, as in the template's own result.
        *_, (_, end) = [(0, 0), *(found.span() for found in pattern.finditer(before))]
        start = next((found.start() for found in pattern.finditer(after)), len(after))
        self._head, self._before = self._marked_ids(before[:end], pattern), before[end:]
        self._after, self._tail = after[:start], self._marked_ids(after[start:], pattern)

    def encode(
        self, opening: str, body: str, closing: str, *, room: int | None = None, truncate: bool = False
    ) -> list[int]:
        """Token ids of a turn, with the template's own.

        Args:
            opening: Begins the turn.
            body: Follows it.
            closing: Ends it.
            room: Tokens that all may have; None for any number.
            truncate: Keep the head of the body that fits.

        Raises:
            InputError: over `room` and `truncate` is False, or no body fits.
        """
        encoding = self._encode(opening, body, closing)
        total = self._length(encoding)
        slack = 0  # where it is cut, the text may fall into more tokens
        while room is not None and self._length(encoding) > room:
            if not truncate:
                raise InputError(
                    f"The input has {total} tokens, of which {room} fit the model's context beside max_tokens: pass "
                    "truncate=True to keep its head, or a smaller part."
                )
            excess = self._length(encoding) - room + slack
            body = self._shortened(body, encoding, len(self._before) + len(opening), excess)
            if not body:
                raise InputError(f"Nothing of the input fits: {room} tokens are not enough for what is around it.")
            slack = 2 * slack + 1
            encoding = self._encode(opening, body, closing)
        return [*self._head, *encoding.ids, *self._tail]

    def _encode(self, opening: str, body: str, closing: str) -> Encoding:
        return self._tokenizer.encode(f"{self._before}{opening}{body}{closing}{self._after}", add_special_tokens=False)

    def _length(self, encoding: Encoding) -> int:
        return len(self._head) + len(encoding) + len(self._tail)

    def _shortened(self, body: str, encoding: Encoding, start: int, excess: int) -> str:
        """The body without its last `excess` tokens; empty if it has no more."""
        begins = [begin - start for begin, end in encoding.offsets if start <= begin and end <= start + len(body)]
        return body[: begins[-excess]] if excess <= len(begins) else ""

    def _marked_ids(self, text: str, pattern: re.Pattern[str]) -> list[int]:
        """Token ids of a part of the template, whose special tokens are such."""
        ids: list[int] = []
        position = 0
        for found in pattern.finditer(text):
            ids += self._tokenizer.encode(text[position : found.start()], add_special_tokens=False).ids
            ids.append(self._special[found[0]])
            position = found.end()
        return ids + list(self._tokenizer.encode(text[position:], add_special_tokens=False).ids)
