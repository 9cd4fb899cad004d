from __future__ import annotations

import gzip
import json

import pytest

from jina_components.errors import ConfigError, InputError
from jina_components.fine_tuner.judged import JudgedQuestions, alike
from jina_components.fine_tuner.triplets import Passage, Triplet, Triplets

PASSAGES = {
    name: Passage(id=name, text=f"text {name}", document=document)
    for name, document in {"a": "1", "b": "1", "c": "2", "d": "3"}.items()
}
TRIPLETS = Triplets(
    passages=PASSAGES,
    train=(Triplet(query="What is rust?", positive="c", negatives=("d",)),),
    dev=(),
    test=(Triplet(query="sea", positive="a"), Triplet(query="Sea!", positive="b"), Triplet(query="lake", positive="b")),
)


def judged(*queries, documents=()):
    return JudgedQuestions(["a", "b", "c"], queries, [{row % 3: 1.0} for row in range(len(queries))], documents)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ((["a"], ["q"], []), "1 queries have 0 judgements"),
        ((["a"], ["q"], [{}]), r"Query 0 \('q'\) needs passages"),
        ((["a"], ["q"], [{1: 1.0}]), "by position"),
        ((["a"], ["q"], [{0: 0.0}]), "above 0"),
        ((["a"], ["q"], [{0: 1.0}], ["x", "y"]), "1 passages have 2 documents"),
    ],
)
def test_judgements_that_do_not_fit_are_refused(fields, told):
    with pytest.raises(InputError, match=told):
        JudgedQuestions(*fields)


def test_questions_of_triplets_are_asked_of_all_passages_and_once_each():
    found = JudgedQuestions.of(TRIPLETS)
    assert list(found.corpus) == ["text a", "text b", "text c", "text d"]
    assert list(found.queries) == ["sea", "lake"]
    assert list(found.relevant) == [{0: 1.0, 1: 1.0}, {1: 1.0}]
    assert found.clusters == [0, 0]  # one document answers both
    with pytest.raises(InputError, match="no dev questions"):
        JudgedQuestions.of(TRIPLETS, "dev")


def test_queries_of_the_same_documents_are_a_cluster():
    assert judged("x", "y", "z", "w").clusters == [0, 1, 2, 0]
    assert judged("x", "y", "z", documents=["1", "1", "2"]).clusters == [0, 0, 1]


def test_queries_that_were_trained_with_are_refused_however_they_are_written():
    questions = judged("what is  RUST", "sea")
    with pytest.raises(InputError, match=r"1 of 2 queries were trained with.*without\(triplets\)") as caught:
        questions.check_unseen(TRIPLETS)
    assert caught.value.index == 0
    rest = questions.without(TRIPLETS)
    assert rest.queries == ["sea"]
    rest.check_unseen(TRIPLETS)


def test_what_differs_in_signs_alone_is_alike():
    assert alike("What is (a) Rust?") == alike("what is a rust") != alike("what is the rust")
    assert alike("C++ ?") == "c"
    assert alike("++") == "++"


def write_beir(folder, name="qrels/test.tsv"):
    rows = [{"_id": "1", "text": "sea", "title": "On", "document": "x"}, {"_id": "2", "text": "lake"}]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    queries = [{"_id": "q", "text": "deep"}, {"_id": "r", "text": "unanswered"}]
    (folder / "queries.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, queries)).encode()))
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("query-id\tcorpus-id\tscore\nq\t1\t2\nq\t2\t0\nr\t2\t0\n")


def test_a_data_set_in_beirs_layout_is_read(tmp_path):
    write_beir(tmp_path)
    found = JudgedQuestions.load(tmp_path)
    assert (found.corpus, found.queries, found.relevant) == (["On sea", "lake"], ["deep"], [{0: 2.0}])
    assert found.documents == ["x", "2"]
    assert repr(found) == "JudgedQuestions(1 queries, 2 passages)"


def test_a_data_set_that_is_none_is_named(tmp_path):
    with pytest.raises(ConfigError, match="none of qrels"):
        JudgedQuestions.load(tmp_path)
    write_beir(tmp_path)
    (tmp_path / "corpus.jsonl").write_text("{}")
    with pytest.raises(ConfigError, match=r"no data set in BEIR's layout: KeyError\('_id'\)"):
        JudgedQuestions.load(tmp_path)
    (tmp_path / "corpus.jsonl").unlink()
    with pytest.raises(ConfigError, match=r"it has no corpus\.jsonl"):
        JudgedQuestions.load(tmp_path)
