"""A chat model is asked on record, within the budget, and until it answers in the form that is wanted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from jina_components.deep_search.chat.asking import Asker
from jina_components.deep_search.chat.counting import IMAGE_TOKENS, count_messages, count_tokens, head
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.meter import BudgetEnded, Meter
from jina_components.deep_search_options import Budget, DeepSearchOptions
from jina_components.errors import ChatError, ConfigError, ContextOverflowError, InputError, RefusalError, WebError
from jina_components.protocols import ChatMessage, ChatModel, ChatReply, FinishReason
from jina_components.testing import FakeChat, FakeJSONChat
from jina_components.types import Image, TracedCall, Usage

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
ASKED = [ChatMessage("system", "Count."), ChatMessage("user", "How many?")]


class Failing:
    """Raises what it was told to."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.calls = 0

    async def achat(self, messages: Sequence[ChatMessage]) -> ChatReply:
        self.calls += 1
        raise self.error


class Asking:
    """An asker with the journal and the meter that it works with."""

    def __init__(
        self, chat: ChatModel, calls: Sequence[TracedCall] = (), *, strict: bool = False, **limits: Any
    ) -> None:
        self.chat = chat
        self.meter = Meter(DeepSearchOptions(budget=Budget(**limits)))
        self.journal = Journal({}, calls=calls, strict=strict)
        self.asker = Asker(chat, journal=self.journal, meter=self.meter)

    async def ask(
        self,
        messages: Sequence[ChatMessage] = ASKED,
        schema: Mapping[str, Any] = SCHEMA,
        read: Callable[[dict[str, Any]], Any] = lambda reply: reply["n"],
        *,
        accepted: Mapping[str, Any] | None = None,
        final: bool = False,
    ) -> Any:
        return await self.asker.ask(messages, schema=schema, read=read, accepted=accepted, final=final)


async def test_the_reply_is_read_and_the_form_told() -> None:
    asking = Asking(FakeChat(['{"n": 3}']))
    assert await asking.ask() == 3
    [(system, user)] = asking.chat.asked
    assert system == ASKED[0]
    assert user.content.startswith("How many?\n\n")
    assert json.dumps(SCHEMA, separators=(",", ":")) in user.content


@pytest.mark.parametrize("reply", ['```json\n{"n": 3}\n```', '<think>{"n": 9}</think>\n{"n": 3}', 'Sure: {"n": 3}.'])
async def test_json_is_found_in_what_models_put_around_it(reply: str) -> None:
    assert await Asking(FakeChat([reply])).ask() == 3


async def test_a_json_chat_is_held_to_the_schema() -> None:
    asking = Asking(FakeJSONChat(['{"n": 3}']))
    assert await asking.ask() == 3
    assert asking.chat.schemas == [SCHEMA]


async def test_a_looser_schema_may_be_accepted_than_is_told() -> None:
    looser = {**SCHEMA, "properties": {"n": {"type": ["integer", "null"]}}}
    asking = Asking(FakeJSONChat(['{"n": null}']))
    assert await asking.ask(accepted=looser) is None
    assert asking.chat.schemas == [SCHEMA]


async def test_complaints_are_put_to_the_model() -> None:
    def read(reply: dict[str, Any]) -> int:
        if reply["n"] < 0:
            raise ValueError("n must not be negative.")
        return reply["n"]

    asking = Asking(FakeChat(["Three.", '{"n": -3}', '{"n": 3}']))
    assert await asking.ask(read=read) == 3
    first, second, third = asking.chat.asked
    assert second[:2] == third[:2] == first
    assert [message.content for message in second[2:]] == ["Three.", second[3].content]
    assert "JSON" in second[3].content
    assert third[2].content == '{"n": -3}'
    assert "n must not be negative." in third[3].content


@pytest.mark.parametrize("reply", ["", "no", '{"n": "many"}', '{"m": 3}', "[3]", '{"n": 3', "{" * 5000, "[" * 100_000])
async def test_three_attempts_and_no_more(reply: str) -> None:
    asking = Asking(FakeChat(lambda _: reply))
    with pytest.raises(ChatError, match="3 attempts"):
        await asking.ask(schema={**SCHEMA, "properties": {"n": {"type": "integer", "minimum": 10}}})
    assert len(asking.chat.asked) == 3


@pytest.mark.parametrize("reason", ["length", "repetition"])
async def test_a_reply_that_was_cut_off_is_told_so(reason: FinishReason) -> None:
    asking = Asking(FakeChat([ChatReply('{"n": 9', Usage(5, 50), reason), ChatReply('{"n": 3} x', Usage(), reason)]))
    assert await asking.ask() == 3
    assert "cut off" in asking.chat.asked[1][3].content


@pytest.mark.parametrize("reply", ["{'n': 3,}", '{"n": 3', '{"n": 3 /* three */}'])
async def test_what_is_almost_json_is_mended(reply: str) -> None:
    asking = Asking(FakeChat([reply]))
    assert await asking.ask() == 3


async def test_a_flood_is_not_shown_whole_again() -> None:
    asking = Asking(FakeChat(["word " * 200_000, '{"n": 3}']))
    assert await asking.ask() == 3
    assert count_tokens(asking.chat.asked[1][2].content) <= 1010
    assert asking.meter.spent.tokens > 200_000


async def test_every_attempt_is_paid_for() -> None:
    asking = Asking(FakeChat(lambda _: ChatReply("no", Usage(0, 0))))
    with pytest.raises(ChatError):
        await asking.ask()
    assert asking.meter.usage.prompt_tokens == sum(count_messages(messages) for messages in asking.chat.asked)
    assert asking.meter.usage.completion_tokens == 3


async def test_a_server_that_counts_more_is_believed() -> None:
    asking = Asking(FakeChat([ChatReply('{"n": 3}', Usage(900, 800))]))
    await asking.ask()
    assert asking.meter.usage == Usage(900, 800)


async def test_no_room_for_the_call() -> None:
    asking = Asking(FakeChat(['{"n": 3}']), tokens=40)
    with pytest.raises(BudgetEnded) as ended:
        await asking.ask()
    assert ended.value.which == "tokens"
    assert not asking.chat.asked


async def test_the_budget_may_end_between_attempts() -> None:
    asking = Asking(FakeChat(lambda _: ChatReply("no", Usage(10, 400))), tokens=500)
    with pytest.raises(BudgetEnded):
        await asking.ask()
    assert len(asking.chat.asked) == 1


async def test_the_last_of_the_budget_is_for_the_answer() -> None:
    asking = Asking(FakeChat([ChatReply('{"n": 1}', Usage(10, 850)), '{"n": 2}']), tokens=1000)
    assert await asking.ask() == 1
    with pytest.raises(BudgetEnded):
        await asking.ask()
    assert await asking.ask(final=True) == 2


async def test_a_call_ends_with_the_time() -> None:
    class Slow:
        async def achat(self, messages: Sequence[ChatMessage]) -> ChatReply:
            await asyncio.Event().wait()
            raise AssertionError

    asking = Asking(Slow(), seconds=0.05)
    with pytest.raises(ChatError, match="took longer"):
        await asking.ask()
    [call] = asking.journal.calls
    assert call.error is not None
    with pytest.raises(BudgetEnded) as ended:
        await asking.ask()
    assert ended.value.which == "seconds"
    replayed = Asking(Slow(), asking.journal.calls, strict=True, seconds=0.05)
    with pytest.raises(ChatError, match="took longer"):
        await replayed.ask()


@pytest.mark.parametrize(
    "error",
    [
        RefusalError("I will not."), ContextOverflowError("Too long."), ChatError("No key.", 401),
        InputError("No such image."), ConfigError("No such model."),
    ],
)  # fmt: skip
async def test_errors_pass_and_the_prompt_is_counted(error: Exception) -> None:
    asking = Asking(Failing(error))
    with pytest.raises(type(error)) as raised:
        await asking.ask()
    assert getattr(raised.value, "status_code", 0) == getattr(error, "status_code", 0)
    assert asking.chat.calls == 1
    assert not asking.journal.has_worked("chat")
    was_turned_down = getattr(error, "status_code", 0) >= 400  # then no model has run
    assert (asking.meter.spent.tokens > 0) is not was_turned_down


@pytest.mark.parametrize("error", [KeyError("choices"), WebError("down"), TimeoutError(), RuntimeError("x" * 5000)])
async def test_foreign_errors_are_chat_errors(error: Exception) -> None:
    with pytest.raises(ChatError, match=f"The chat model failed: {type(error).__name__}"):
        await Asking(Failing(error)).ask()


@pytest.mark.parametrize("reply", ["text", None, ChatReply(None), ChatReply("{}", None)])
async def test_what_is_no_reply_is_a_chat_error(reply: Any) -> None:
    class Odd:
        async def achat(self, messages: Sequence[ChatMessage]) -> Any:
            return reply

    with pytest.raises(ChatError, match="ChatReply"):
        await Asking(Odd()).ask()


async def test_cancelling_pays_the_prompt_and_goes_through() -> None:
    class Slow:
        async def achat(self, messages: Sequence[ChatMessage]) -> ChatReply:
            await asyncio.Event().wait()
            raise AssertionError

    asking = Asking(Slow())
    task = asyncio.create_task(asking.ask())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asking.meter.spent.tokens > 0


async def test_calls_replay_without_the_model() -> None:
    asking = Asking(FakeChat(["no", '{"n": 3}']))
    await asking.ask()
    silent = Failing(AssertionError())
    replayed = Asking(silent, asking.journal.calls, strict=True)
    assert await replayed.ask() == 3
    assert silent.calls == 0
    assert replayed.meter.usage == asking.meter.usage
    assert replayed.journal.has_worked("chat")


async def test_images_are_on_record_by_their_digests() -> None:
    image = pytest.importorskip("PIL.Image").new("RGB", (3, 2))
    images = (Image(b"\x89PNG" + bytes(5000)), Image("https://a.org/b.png"), Image(image))
    asking = Asking(FakeChat(lambda _: '{"n": 3}'))
    await asking.ask([ChatMessage("user", "What is it?", images)])
    await asking.ask([ChatMessage("user", "What is it?", images[:1])])
    first, second = (call.request["messages"][0]["images"] for call in asking.journal.calls)
    assert len(set(first)) == 3
    assert first[:1] == second
    assert asking.chat.asked[0][0].images == images
    assert asking.meter.usage.prompt_tokens > 4 * IMAGE_TOKENS


@pytest.mark.parametrize("text", ["\ud800", "a\udc00\ud800b", "🎉"])
async def test_text_that_is_no_unicode_is_mended(text: str) -> None:
    read: Callable[[dict[str, Any]], Any] = lambda reply: reply["t"]  # noqa: E731
    schema = {"type": "object", "properties": {"t": {}}, "required": ["t"]}
    for reply in (json.dumps({"t": [text]}), json.dumps({"t": [text]}, ensure_ascii=False)):
        [found] = await Asking(FakeChat([reply])).ask(schema=schema, read=read)
        assert found.encode().decode() == text.translate(dict.fromkeys(range(0xD800, 0xE000), "\ufffd"))


def test_tokens_are_counted_of_texts_without_words_too() -> None:
    assert count_tokens("a" * 80_000) >= 10_000
    assert count_tokens("Hello world") == 2
    assert count_messages([ChatMessage("user", "Hello world", (Image(b"x"),))]) == 2 + IMAGE_TOKENS + 4


@pytest.mark.parametrize(("text", "tokens", "begin"), [("a b c", 3, "a b c"), ("a b c", 2, "a b…"), ("a b", 0, "…")])
def test_the_head_of_a_text(text: str, tokens: int, begin: str) -> None:
    assert head(text, tokens) == begin
    assert count_tokens(head("x" * 10_000, 10)) <= 15
