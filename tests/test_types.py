import pickle

import pytest

from jina_components import Document, errors
from jina_components.errors import InputError, JinaComponentsError
from jina_components.types import Answer, Citation, DocumentFailure, Page, Ranking, ScoredDocument, Usage, shorten


def test_document_ids_are_derived_from_text_and_metadata():
    assert Document("a").id == Document("a").id != Document("b").id
    assert Document("a", metadata={"x": 1}).id != Document("a").id
    assert Document("a", metadata={"x": 1, "y": 2}).id == Document("a", metadata={"y": 2, "x": 1}).id
    assert Document("a", "mine").id == "mine"
    assert len({Document("a"), Document("a")}) == 1


def test_the_metadata_is_the_documents_own():
    metadata = {"a": [1]}
    document = Document("x", metadata=metadata)
    metadata["a"].append(2)
    assert document.metadata == {"a": [1]}


@pytest.mark.parametrize(
    "arguments", [(3,), ("x", 3), ("x", "", {"f": object()}), ("x", "", {1: "x"}), ("x", "", {"n": float("nan")})]
)
def test_bad_documents_are_refused(arguments):
    with pytest.raises(InputError):
        Document(*arguments)


def test_ranking_is_a_sequence():
    hits = tuple(ScoredDocument(Document(text), 1.0) for text in "abc")
    ranking = Ranking(hits, Usage(3))
    assert (len(ranking), list(ranking), ranking[0], ranking[1:]) == (3, list(hits), hits[0], hits[1:])
    assert pickle.loads(pickle.dumps(ranking)) == ranking


def test_a_ranking_shows_what_it_leaves_out():
    hits = (ScoredDocument(Document("a"), 1.0, 1),)
    assert "failures" not in repr(Ranking(hits))
    assert "Not ranked" not in Ranking(hits)._repr_html_()
    ranking = Ranking(hits, failures=(DocumentFailure(0, InputError("documents[0] is <empty>.", 0)),))
    assert "failures=[DocumentFailure(index=0, error=InputError('documents[0] is <empty>.', 0))]" in repr(ranking)
    assert "Not ranked:</p><ul><li>0: documents[0] is &lt;empty&gt;.</li>" in ranking._repr_html_()
    copy = pickle.loads(pickle.dumps(ranking))
    assert (copy.results, str(copy.failures[0].error)) == (hits, "documents[0] is <empty>.")


def test_a_document_without_text_shows_its_metadata():
    image = Document("", metadata={"image": "a.png"})
    assert repr(image) == f"Document('', metadata={{'image': 'a.png'}}, id={image.id!r})"
    assert repr(ScoredDocument(image, 0.5)) == "ScoredDocument(0.5000, '', metadata={'image': 'a.png'})"
    assert "a.png" in Ranking((ScoredDocument(image, 0.5),))._repr_html_()
    assert repr(Document("a", "1", {"page": 1})) == "Document('a', id='1')"
    assert repr(Document("", "1")) == "Document('', id='1')"
    assert len(repr(Document("", metadata={"image": "x" * 1000}))) < 300


def test_html_is_escaped():
    hostile = "<script>alert(1)</script>"
    drawn = Ranking((ScoredDocument(Document(hostile, hostile), 1.0),))._repr_html_()
    answer = Answer("q", hostile, True, (Citation(hostile, hostile, 0, 1, "d", hostile),))._repr_html_()
    assert "<script>" not in drawn + answer


def test_page_numbers():
    page = Page("u", "t", "aabbb", page_offsets=(0, 2))
    assert [page.page_at(offset) for offset in range(5)] == [1, 1, 2, 2, 2]
    assert Page("u", "t", "aa").page_at(1) is None


def test_usage_adds_up():
    assert Usage(1, 2) + Usage(3, 4) == Usage(4, 6)
    assert Usage(4, 6).total_tokens == 10


def test_shorten():
    assert shorten("a\n b") == "a b"
    assert shorten("x" * 100, 10) == "x" * 9 + "…"


@pytest.mark.parametrize("kind", [e for e in vars(errors).values() if isinstance(e, type)])
def test_errors_pickle_and_are_named_in_the_tree(kind):
    error = kind("message")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (kind, "message", vars(error))
    assert isinstance(error, JinaComponentsError)
    assert kind.__name__ in (errors.__doc__ or "")


def test_an_error_of_ours_has_no_error_number():
    error = errors.ReadError("gone", "a.txt")
    assert (error.errno, error.strerror, str(error), error.source) == (None, None, "gone", "a.txt")


def test_error_details_survive_pickling():
    error = pickle.loads(pickle.dumps(errors.HTTPStatusError("gone", "http://x", 410)))
    assert (error.url, error.status_code) == ("http://x", 410)
    assert pickle.loads(pickle.dumps(InputError("bad", 3))).index == 3
