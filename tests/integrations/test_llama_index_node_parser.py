"""JinaNodeParser: our segmenter as a node parser of LlamaIndex."""

from __future__ import annotations

import asyncio
import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.node_parser import NodeParser, SentenceSplitter
from llama_index.core.schema import Document, ImageDocument, ImageNode, MetadataMode, NodeRelationship, TextNode
from llama_index_jina_components import JinaNodeParser
from pydantic import ValidationError

from jina_components import Segmenter
from jina_components.errors import ConfigError
from jina_components.types import Chunk, Segmentation

TEXT = "# Sea\n\nThe sea is calm.\n\n## Tides\n\nTides rise. Tides rise. Tides rise. 海は静か。 🚤 Ein Boot.\n\n\n"


def name_of(number, document):
    return f"{document.node_id}#{number}"


class Halves:
    """Cuts each text in the middle."""

    def segment(self, text):
        middle = len(text) // 2
        chunks = (Chunk(text[:middle], 0, middle, 1), Chunk(text[middle:], middle, len(text), 1))
        return Segmentation(chunks, 2, "none", text)

    async def asegment(self, text):
        return self.segment(text)


def test_offsets_headings_and_neighbours():
    document = Document(text=TEXT, id_="sea", metadata={"lang": "en"}, excluded_embed_metadata_keys=["lang"])
    nodes = JinaNodeParser(40, id_func=name_of).get_nodes_from_documents([document])
    assert [node.id_ for node in nodes] == [f"sea#{number}" for number in range(len(nodes))]
    assert all(TEXT[node.start_char_idx : node.end_char_idx] == node.text for node in nodes)
    assert {node.metadata["heading"] for node in nodes} == {"Sea", "Sea > Tides"}
    assert all(node.metadata["lang"] == "en" and node.ref_doc_id == "sea" for node in nodes)
    assert "lang" not in nodes[0].get_content(MetadataMode.EMBED)
    assert [node.next_node.node_id for node in nodes[:-1]] == [node.id_ for node in nodes[1:]]
    assert nodes[0].prev_node is None
    assert [chunk.text for chunk in Segmenter(max_chunk_length=40).segment(TEXT).chunks] == [n.text for n in nodes]


def test_repeated_texts_are_found_where_they_stand():
    text = "a" * 6
    nodes = JinaNodeParser(segmenter=Halves()).get_nodes_from_documents([Document(text=text)])
    assert [(node.start_char_idx, node.end_char_idx) for node in nodes] == [(0, 3), (3, 6)]


@settings(max_examples=40)
@given(st.text(alphabet="ab \n#.海🚤", max_size=120), st.integers(3, 20))
def test_offsets_are_exact_for_any_text(text, limit):
    document = Document(text=text)
    for node in JinaNodeParser(limit).get_nodes_from_documents([document]):
        assert document.text[node.start_char_idx : node.end_char_idx] == node.text
        assert node.text.strip()


async def test_async_gives_the_same():
    parser = JinaNodeParser(40, id_func=name_of)
    documents = [Document(text=TEXT * times, id_=f"{times}") for times in range(1, 7)]
    assert await parser.aget_nodes_from_documents(documents) == parser.get_nodes_from_documents(documents)
    assert await parser.acall(documents) == parser(documents)


def test_nothing_gives_nothing():
    parser = JinaNodeParser()
    assert parser.get_nodes_from_documents([]) == []
    assert parser.get_nodes_from_documents([Document(text=""), Document(text=" \n")]) == []
    assert asyncio.run(parser.aget_nodes_from_documents([])) == []


def test_chunks_of_nodes_belong_to_the_document():
    document = Document(text=TEXT, id_="sea")
    (whole,) = JinaNodeParser(1000)([document])
    parts = JinaNodeParser(40)([whole])
    assert {part.ref_doc_id for part in parts} == {"sea"}
    assert all(whole.text[part.start_char_idx : part.end_char_idx] == part.text for part in parts)


def test_an_image_stays_with_its_chunks():
    document = ImageDocument(text=TEXT, image="aGVsbG8=")
    nodes = JinaNodeParser(40).get_nodes_from_documents([document])
    assert all(isinstance(node, ImageNode) and node.image == "aGVsbG8=" for node in nodes)


def test_metadata_and_neighbours_may_be_left_out():
    parser = JinaNodeParser(40, include_metadata=False, include_prev_next_rel=False)
    nodes = parser.get_nodes_from_documents([Document(text=TEXT, metadata={"lang": "en"})])
    assert all(node.metadata == {} for node in nodes)
    assert all(set(node.relationships) == {NodeRelationship.SOURCE} for node in nodes)


def test_any_segmenter_fits():
    nodes = JinaNodeParser(segmenter=Segmenter(max_chunk_length=12, length_unit="tokens", overlap=4))(
        [Document(text=TEXT)]
    )
    assert nodes[1].start_char_idx < nodes[0].end_char_idx
    assert len(JinaNodeParser(segmenter=Halves())([TextNode(text="abcd")])) == 2


@pytest.mark.parametrize("settings", [{"api_key": "secret"}, {"base_url": "http://x"}, {"max_chunk_length": 5}])
def test_a_segmenter_and_settings_of_one_exclude_each_other(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        JinaNodeParser(segmenter=Halves(), **settings)


@pytest.mark.parametrize(
    ("settings", "error"),
    [({"max_chunk_length": 0}, ConfigError), ({"segmenter": 3}, ValidationError), ({"chunk_size": 3}, ValidationError)],
)
def test_wrong_settings_are_refused(settings, error):
    with pytest.raises(error):
        JinaNodeParser(**settings)


@pytest.mark.parametrize(
    "made",
    [
        lambda: JinaNodeParser(40, include_metadata=False),
        lambda: JinaNodeParser(api_key="secret", max_chunk_length=200),
        lambda: JinaNodeParser(segmenter=Segmenter(max_chunk_length=10, overlap=3), include_prev_next_rel=False),
    ],
)
def test_nothing_is_lost_when_it_is_written_down(made):
    parser = made()
    again = JinaNodeParser.from_dict(json.loads(json.dumps(parser.to_dict())))
    assert again.to_dict() == parser.to_dict()
    assert again.id_func is parser.id_func
    pickled = pickle.loads(pickle.dumps(parser))
    assert pickled.to_dict() == parser.to_dict()
    assert pickled.api_key == parser.api_key
    assert "secret" not in str(parser.to_dict())


def test_an_id_func_of_ones_own_is_asked_for_again():
    with pytest.raises(ValidationError):  # LlamaIndex reads not even its own
        SentenceSplitter.from_dict(SentenceSplitter().to_dict())
    written = JinaNodeParser(id_func=name_of).to_dict()
    with pytest.raises(ConfigError, match="name_of"):
        JinaNodeParser.from_dict(written)
    assert JinaNodeParser.from_dict(written, id_func=name_of).id_func is name_of
    assert pickle.loads(pickle.dumps(JinaNodeParser(id_func=name_of))).id_func is name_of


async def test_progress_and_callbacks(capfd):
    debug = LlamaDebugHandler(print_trace_on_end=False)
    parser = JinaNodeParser(callback_manager=CallbackManager([debug]))
    assert isinstance(parser, NodeParser)
    parser.get_nodes_from_documents([Document(text=TEXT)], show_progress=True)
    await parser.aget_nodes_from_documents([Document(text=TEXT)], show_progress=True)
    assert capfd.readouterr().err.count("Parsing nodes") >= 2
    assert len(debug.get_event_pairs(CBEventType.NODE_PARSING)) == 2


async def test_a_service_of_ours(service):
    parser = JinaNodeParser(40, base_url=service.url)
    document = Document(text=TEXT)
    nodes = parser.get_nodes_from_documents([document])
    assert all(TEXT[node.start_char_idx : node.end_char_idx] == node.text for node in nodes)
    assert len(nodes) > 1
    assert [node.text for node in await parser.aget_nodes_from_documents([document])] == [node.text for node in nodes]
    parser.close()
