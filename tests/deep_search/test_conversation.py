from __future__ import annotations

import asyncio
import base64
import os
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components import Reader
from jina_components.deep_search.conversation import (
    MAX_CONVERSATION,
    MAX_QUESTION,
    Conversation,
    read_conversation,
    without_thoughts,
)
from jina_components.deep_search.gathering.file_search import MAX_AT_ONCE, FileSearch
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.sent_files import MAX_FILE_BYTES, MAX_PASSAGE
from jina_components.errors import ConfigError, InputError
from jina_components.protocols import ChatMessage, SupportsRetrieve
from jina_components.types import Document, Image

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ASKED = "What does it say?"


def uri(data: bytes | str, kind: str = "text/plain", *parameters: str) -> str:
    encoded = base64.b64encode(data.encode() if isinstance(data, str) else data).decode()
    return ";".join([f"data:{kind}", *parameters, f"base64,{encoded}"])


def sending(*files, images=()):
    return [ChatMessage("user", ASKED, images=tuple(images), files=files)]


def read(conversation: Conversation, reader: Reader | None = None) -> tuple[list[Document], tuple[str, ...]]:
    with closing(Journal(conversation.as_json())) as journal:
        return asyncio.run(conversation.read_files(reader, journal))


def documents(*files, reader=None) -> list[Document]:
    return read(read_conversation(sending(*files)), reader)[0]


@pytest.fixture(scope="module")
def reader():
    with Reader() as reader:
        yield reader


def test_a_question_alone():
    conversation = read_conversation("  Who wrote it? ")
    assert conversation == Conversation("Who wrote it?", (ChatMessage("user", "Who wrote it?"),))
    assert conversation.as_json() == {"question": "Who wrote it?"}
    assert conversation.unused_without_chat == ()


def test_a_conversation_without_its_thoughts_and_empty_turns():
    picture = Image(PNG)
    conversation = read_conversation(
        [
            ChatMessage("system", "Be brief."),
            ChatMessage("user", "Who was there in 2019?"),
            ChatMessage("assistant", "<think>Let me <b>see</b>.\n\nYes.</think>\n\nAnna."),
            ChatMessage("assistant", "<think>Nothing came of it.</think>"),
            ChatMessage("user", " "),
            ChatMessage("user", "The <think> tag, and in 2020?", images=(picture,)),
        ]
    )
    assert conversation.question == "The <think> tag, and in 2020?"
    assert [(turn.role, turn.content) for turn in conversation.messages] == [
        ("system", "Be brief."),
        ("user", "Who was there in 2019?"),
        ("assistant", "Anna."),
        ("user", "The <think> tag, and in 2020?"),
    ]
    assert conversation.messages[-1].images == (picture,)
    first, second = conversation.unused_without_chat
    assert first.startswith("1 image sent along")
    assert second.startswith("3 messages before the question")
    assert "chat=OpenAIChat" in first


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<think>a</think>b<think>c</think> d", "b d"),
        ("<think>cut off", ""),
        ("<think>a</think><think>cut off", ""),
        ("The tag <think> opens a thought.", "The tag <think> opens a thought."),
        ("no thought</think>", "no thought</think>"),
        ("", ""),
    ],
)
def test_thoughts(text, left):
    assert without_thoughts(text) == left


@given(st.lists(st.sampled_from(["<think>", "</think>", "a", " ", "\n"]), max_size=12).map("".join))
def test_no_whole_thought_is_left(text):
    assert "</think>" not in without_thoughts(text).partition("<think>")[2]


def test_many_thoughts_take_no_long():
    assert without_thoughts("<think>" * 1_000_000) == ""
    assert without_thoughts("a<think></think>" * 500_000) == "a" * 500_000


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("", "question is empty"),
        (" \n", "question is empty"),
        ("?!", "question holds no words"),
        ("a\ud800", "question is not valid Unicode"),
        ("a" * (MAX_QUESTION + 1), "100,001 characters; the most is 100,000. Send long texts along as files"),
        (None, "question must be a list, got NoneType"),
        ([], "There are no messages"),
        (["Why?"], "messages[0] must be ChatMessage, got str"),
        ([{"role": "user", "content": "Why?"}], "messages[0] must be ChatMessage, got dict"),
        ([ChatMessage("tool", "Why?")], "messages[0].role must be one of system, user, assistant, got 'tool'"),
        ([ChatMessage("user", ["Why?"])], "messages[0].content must be str, got list"),
        ([ChatMessage("user", "Why?"), ChatMessage("assistant", "So.")], "messages[1] is of assistant"),
        ([ChatMessage("user", "Why?"), ChatMessage("user", " ")], "The last message, messages[1], is empty"),
        ([ChatMessage("user", "\ud800"), ChatMessage("user", "Why?")], "messages[0].content is not valid Unicode"),
        ([ChatMessage("user", "", files=(uri("It rains."),))], "messages[0] sends files without words: say what"),
        ([ChatMessage("user", "", images=(Image(PNG),))], "messages[0] sends images without words"),
        ([ChatMessage("user", "Why?", files="notes.txt")], "messages[0].files must be a tuple, got str"),
        ([ChatMessage("user", "Why?", images=(PNG,))], "messages[0].images must hold Image, got bytes"),
        (
            [ChatMessage("user", "a" * MAX_CONVERSATION), ChatMessage("user", "Why?")],
            "has 10,000,004 characters; the most is 10,000,000",
        ),
    ],
)
def test_what_is_no_question_is_refused(question, says):
    with pytest.raises(InputError) as refusal:
        read_conversation(question)
    assert says in str(refusal.value)


turns = st.builds(
    ChatMessage,
    role=st.sampled_from(["system", "user", "assistant"]),
    content=st.text(max_size=20) | st.sampled_from(["<think>a</think>", "Why?"]),
    files=st.lists(st.sampled_from([uri("It rains."), "data:,It%20rains.", "notes.txt"]), max_size=2).map(tuple),
)


@given(st.lists(turns, max_size=5))
def test_any_conversation_is_cleaned_or_refused(messages):
    try:
        conversation = read_conversation(messages)
    except InputError:
        return
    assert conversation.messages[-1].role == "user"
    assert conversation.question == conversation.messages[-1].content == messages[-1].content.strip()
    assert all(turn.content and not turn.files for turn in conversation.messages)
    assert len(conversation.files) == sum(len(message.files) for message in messages)


@pytest.mark.parametrize(
    "file",
    [
        uri("It rains — today."),
        uri("It rains — today.", "text/markdown", "charset=utf-8", "name=file-1"),
        uri("It rains — today.".encode("utf-16"), "text/plain", "charset=UTF-16"),
        "data:text/plain," + quote("It rains — today."),
        "data:,It rains — today.",
        "DATA:TEXT/PLAIN;BASE64," + uri("It rains — today.").partition(",")[2].rstrip("="),
        uri("It rains — today.").replace("=", "%3D"),
        uri("\ufeffIt rains — today."),
    ],
)
def test_a_text_in_a_data_uri(file):
    [document] = documents(file)
    assert document.text == "It rains — today."
    assert document.metadata == {"source": "file-1", "title": "file-1", "start": 0, "end": 17}


def test_names_of_files(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("Notes.")
    named = uri("Named.", "text/plain", "name=..%2F..%2Fa%20b.txt")
    second = uri("Second.", "text/plain", "name=a b.txt (2)")
    found = documents(named, named, path, str(path), uri("Nameless."), second)
    assert [document.metadata["source"] for document in found] == [
        "a b.txt", "a b.txt (2)", str(path), f"{path} (2)", "file-5", "a b.txt (2) (2)",
    ]  # fmt: skip
    assert found[2].metadata["title"] == "notes.txt"


def test_passages_stand_in_their_file(tmp_path):
    text = "\n\n".join(f"Paragraph {number}. " + "It rains today. " * 40 for number in range(20))
    path = tmp_path / "long.md"
    path.write_bytes(text.replace("\n", "\r\n").encode())
    found = documents(path)
    assert len(found) > 5
    for document in found:
        place = document.metadata
        assert text[place["start"] : place["end"]] == document.text
        assert len(document.text) <= MAX_PASSAGE
        assert document.text.startswith("Paragraph")


def test_a_pdf_is_read_by_the_reader_and_leaves_nothing_behind(reader, make_pdf, tmp_path, monkeypatch):
    made = make_pdf(["It rains on the first page.", "It snows on the second page."])
    (temporary := tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    for file in (uri(made.read_bytes(), "application/pdf", "name=weather.pdf"), made):
        first, second = documents(file, reader=reader)
        assert ("first page" in first.text, "second page" in second.text) == (True, True)
        assert (first.metadata["page"], second.metadata["page"]) == (1, 2)
        assert first.metadata["source"] == (str(file) if file is made else "weather.pdf")
        assert second.metadata["end"] - second.metadata["start"] == len(second.text)
    broken = uri(b"%PDF-1.7 broken", "application/pdf")
    with pytest.raises(InputError, match=r"messages\[0\]\.files\[1\]: file-2 ") as refusal:
        documents(uri("Fine."), broken, reader=reader)
    assert str(temporary) not in str(refusal.value)
    assert not list(temporary.iterdir())


def test_what_takes_a_reader(reader, tmp_path):
    old = tmp_path / "old.txt"
    old.write_bytes("Die Straße ist naß, überall. ".encode("cp1252") * 20)
    [document] = documents(old, reader=reader)
    assert document.text.startswith("Die Straße ist naß")
    page = uri("<title>Rain</title><article><p>It rains today.</p></article>", "text/html")
    [document] = documents(page, reader=reader)
    assert (document.text, document.metadata["title"]) == ("It rains today.", "Rain")
    for file, kind in ((old, "a text in UTF-8"), (page, "plain text or Markdown")):
        with pytest.raises(ConfigError) as refusal:
            documents(file)
        assert f"is not {kind}" in str(refusal.value)
        assert "reader=Reader()" in str(refusal.value)


def test_pictures_are_for_chat_models(tmp_path):
    path = tmp_path / "picture.PNG"
    path.write_bytes(PNG)
    own = Image("https://example.com/a.png")
    conversation = read_conversation(sending(uri(PNG, "image/png"), uri("It rains."), path, images=(own,)))
    assert conversation.messages == (ChatMessage("user", ASKED, images=(own, Image(PNG), Image(PNG))),)
    assert [file.name for file in conversation.files] == ["file-1"]
    [message] = conversation.as_json()["messages"]
    assert len(set(message["images"])) == 2


def test_files_of_earlier_turns_are_read_too():
    earlier = ChatMessage("user", "", files=(uri("It rains."),))
    conversation = read_conversation([earlier, ChatMessage("assistant", "I see."), ChatMessage("user", ASKED)])
    assert [turn.content for turn in conversation.messages] == ["I see.", ASKED]
    assert [document.text for document in read(conversation)[0]] == ["It rains."]


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (5, "must be a path or a data: URI, got 5"),
        ("", "must be a path or a data: URI, got ''"),
        (b"text", "must be a path or a data: URI"),
        ("https://example.com/a.pdf", "is a URL, 'https://example.com/a.pdf': files are paths"),
        ("file:///etc/hostname", "is a URL"),
        ("FILE:/etc/hostname", "is a URL"),
        ("a\0b", "NUL"),
        ("data:text/plain", "without a comma"),
        ("data:application/zip;base64,AAAA", "is of type 'application/zip'; what can be sent: image/png"),
        (uri("Hm.", "text/plain", "charset=idna"), "declares an unknown charset, 'idna'"),
        (uri(b"\xff", "text/plain", "charset=ascii"), "is not in ascii, as it says"),
        ("data:;base64,A", "is not valid base64"),
        ("data:;base64,AA!A", "is not valid base64"),
        ("data:,\ud800", "is not valid percent encoding"),
        (uri("\n \n"), "holds no text"),
        (uri(b"", "image/png"), "is empty"),
        ("absent.txt", "cannot be read: No such file"),
        ("a" * 5000, "cannot be read: File name too long"),
        (Path(os.sep), "is no file"),
    ],
)
def test_bad_files_are_named(file, says):
    with pytest.raises(InputError) as refusal:
        documents(uri("Fine."), file)
    assert str(refusal.value).startswith("messages[0].files[1]")
    assert says in str(refusal.value)
    assert len(str(refusal.value)) < 1200


def test_large_data_is_refused():
    for make in (uri, "data:,{}".format, lambda text: f"data:,{text.replace('a', '%41')}"):
        with pytest.raises(InputError, match="has 10,000,001 bytes; a file sent along may have 10,000,000"):
            documents(make("a" * (MAX_FILE_BYTES + 1)))


def test_pipes_and_large_files_are_refused_unread(tmp_path):
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.txt")
        with pytest.raises(InputError, match="is no file"):
            documents(tmp_path / "pipe.txt")
    large = tmp_path / "large.txt"
    with large.open("wb") as file:
        file.truncate(50_000_000_000)
    with pytest.raises(InputError, match="has 50,000,000,000 bytes; .* Put larger ones into a Retriever"):
        documents(large)


def test_what_was_read_is_on_record(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("It rains.")
    conversation = read_conversation(sending(path, uri("It snows.")))
    with closing(Journal(conversation.as_json())) as journal:
        before = asyncio.run(conversation.read_files(None, journal))
        calls = journal.calls
    assert [call.kind for call in calls] == ["read", "read"]
    path.unlink()
    with closing(Journal(conversation.as_json(), calls=calls, strict=True)) as journal:
        assert asyncio.run(conversation.read_files(None, journal)) == before


def test_the_largest_file_takes_seconds():
    text = "It rains today, and tomorrow too. " * (MAX_FILE_BYTES // 34)
    found = documents(uri(text))
    assert len(found) > 4000
    assert found[-1].metadata["end"] >= len(text) - 2


def test_files_can_be_searched():
    filler = [
        uri(f"Nothing of note stands in part {number}. ", "text/plain", f"name={number}.txt") for number in range(60)
    ]
    needle = uri("The lighthouse keeper is called Ambrose.", "text/plain", "name=keeper.txt")
    found = documents(*filler[:30], needle, *filler[30:])
    search = FileSearch(found)
    assert isinstance(search, SupportsRetrieve)
    [hit, *others] = search.retrieve("Who is the lighthouse keeper?", top_k=5)
    assert hit.document.metadata["source"] == "keeper.txt"
    assert others == []  # which share no word with the query
    [hit] = search.retrieve("What stands in part 7?", filter={"source": "7.txt"})
    assert hit.document.text == "Nothing of note stands in part 7."
    begun = search.first("Who is the lighthouse keeper?")
    assert len(begun) == MAX_AT_ONCE
    assert found[30] in begun
    assert [document for document in found if document in begun] == begun
    assert FileSearch(found[:3]).first("Who?") == found[:3]
    assert list(FileSearch([]).retrieve("Who?")) == []
