"""Flags of `index`, `search`, `ask` and `maintain` on an index on disk."""

import json

import pytest

from jina_components import Retriever
from jina_components.retriever.stores.faiss import FaissStore

FAST = ("--embedder", "static-minilm-v1")
PAGES = {
    "boots.md": "# Boots\n\nBoots must be dried slowly.\n\n## Leather\n\nLeather cracks above 40 degrees Celsius.\n",
    "water.md": "# Water\n\nBoil stream water for three minutes before drinking it.\n",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in PAGES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def index(run, folder):
    assert run("index", *(folder / name for name in PAGES), "--to", folder / "index", *FAST)[0] == 0
    return folder / "index"


def search(run, index, query, *options):
    code, out, err = run("search", query, "--index", index, "--json", *options, *FAST)
    assert err == ""
    return code, [json.loads(line) for line in out.splitlines()]


def test_explain(run, index):
    [hit, *_] = search(run, index, "leather", "--explain")[1]
    assert [why["stage"] for why in hit["why"]] == ["dense", "lexical", "fusion"]
    assert "why" not in search(run, index, "leather")[1][0]
    out = run("search", "leather", "--index", index, "--explain", *FAST)[1]
    assert "   dense 0." in out
    assert "(#1)" in out


def test_rerank_and_threshold(run, index):
    code, hits = search(run, index, "At which heat does leather crack?", "--rerank", "--explain", "--min-score", 0.5)
    assert code == 0
    assert all(hit["score"] >= 0.5 and hit["why"][-1]["stage"] == "rerank" for hit in hits)
    assert search(run, index, "leather", "--mode", "dense", "--min-score", 2) == (1, [])


def test_filters_and_diversity(run, index):
    _, hits = search(run, index, "water", "--filter", "title!=Water", "--filter", "start>=0", "--diversity", 0.5)
    assert {hit["metadata"]["title"] for hit in hits} == {"Boots"}
    assert search(run, index, "water", "--filter", "start>100000") == (1, [])
    code, _, err = run("search", "x", "--index", index, "--diversity", 2, *FAST)
    assert code == 2
    assert "diversity" in err


def test_context(run, index):
    _, hits = search(run, index, "leather", "--context", 500)
    assert len(hits) == 2
    assert hits[0]["text"].split() == PAGES["boots.md"].split()


def test_words_alone_need_no_model(run, index):
    code, out, _ = run("search", "leather", "--index", index, "--mode", "lexical", "--embedder", "no-such-model")
    assert code == 0
    assert "boots.md" in out


def test_chunks_that_are_there_are_not_added_again(run, folder, index):
    again = ("index", *(folder / name for name in PAGES), "--to", index, *FAST)
    held = run(*again)[1].rstrip().rpartition(", ")[2]
    assert f"0 chunks added, {held}" in run(*again)[1]
    (folder / "water.md").write_text("Now about snow.\n")
    assert "1 chunk added" in run(*again)[1]
    assert run("search", "stream", "--index", index, "--mode", "lexical")[0] == 1


def test_asking_with_more_sources_leaves_the_index_as_it_is(run, folder, index):
    (folder / "tides.md").write_text("Tides are caused by the moon.\n")
    code, out, _ = run("ask", "What causes tides?", folder / "tides.md", "--index", index, *FAST)
    assert code == 0
    assert "moon" in out
    assert run("search", "tides", "--index", index, "--mode", "lexical")[0] == 1


def test_maintenance(run, index):
    code, out, _ = run("maintain", index)
    assert code == 0
    assert "whole" in out
    with Retriever(store=FaissStore(index)) as retriever:
        retriever.delete([retriever.documents()[0].id])
    assert run("maintain", index, "--compact")[0] == 0
    vectors = next(index.glob("vectors-*.f32"))
    content = bytearray(vectors.read_bytes())
    content[5] ^= 255
    vectors.write_bytes(content)
    code, out, _ = run("maintain", index)
    assert code == 2
    assert "--repair" in out
    code, out, _ = run("maintain", index, "--repair", *FAST)
    assert code == 0
    assert "lost its vector: " in out
    assert "1 embedded again, 0 lost" in out
    assert run("maintain", index)[0] == 0


def test_what_repair_has_lost_is_named(run, index):
    with FaissStore(index) as store:
        store.compact()
    path = index / "documents.sqlite3"
    path.write_bytes(path.read_bytes().replace(b"Leather cracks", b"Leather crocks"))
    code, out, _ = run("maintain", index, "--repair")
    assert code == 3
    assert "lost: " in out
    assert "index their sources again" in out


@pytest.mark.parametrize("name", ["absent", "water.md", ""])
def test_what_is_no_index_is_not_maintained(run, folder, name):
    code, out, err = run("maintain", folder / name)
    assert code == 2
    assert "damaged" not in out + err
    assert str(folder / name) in err


def test_an_empty_file_is_skipped(run, folder):
    (folder / "empty.md").write_text(" \n")
    code, out, err = run("index", folder / "boots.md", folder / "empty.md", "--to", folder / "index", *FAST)
    assert code == 0
    assert "1 source read" in out
    assert f"skipped, for it is empty: {folder / 'empty.md'}" in err
    assert run("index", folder / "empty.md", "--to", folder / "other", *FAST)[0] == 2


def test_the_index_must_be_a_folder(run, folder):
    for place in (folder / "water.md", folder / "water.md" / "below"):
        code, out, err = run("index", folder / "boots.md", "--to", place, *FAST)
        assert (code, out) == (2, "")
        assert err == f"jina-components: {place} is a file, or below one: --to must be a folder.\n"


def test_a_source_is_removed(run, folder, index):
    code, out, err = run("remove", folder / "water.md", folder / "no.md", "--from", index)
    assert code == 0
    assert "1 source removed" in out
    assert f"not in the index: {folder / 'no.md'}" in err
    assert run("search", "stream", "--index", index, "--mode", "lexical")[0] == 1
    assert run("remove", folder / "water.md", "--from", index)[0] == 1
    assert run("remove", folder, "--from", folder / "absent")[0] == 2


def test_the_part_of_a_chunk_that_matches_is_shown(run, folder):
    (folder / "long.md").write_text("Nothing of interest stands here. " * 12 + "Leather cracks above 40 degrees.\n")
    assert run("index", folder / "long.md", "--to", folder / "index", *FAST)[0] == 0
    assert "Leather cracks above 40 degrees." in run("search", "leather", "--index", folder / "index", *FAST)[1]
