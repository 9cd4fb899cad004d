"""The recipe end to end on a tiny random teacher."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from jina_components.embedder import Embedder
from jina_components.fine_tuner.recipes import distill_encoder
from jina_components.fine_tuner.recipes.data.encoder_texts import SOURCES, cuts
from jina_components.fine_tuner.recipes.data.held_back import squad_questions
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.recipes.data.table_texts import collect
from jina_components.fine_tuner.recipes.training.matryoshka import matryoshka_axes

TEXTS = ["word1 word2 and word3", "hello world", "word7 word9 word9 word30"]


@pytest.fixture(scope="module")
def run(training_data, teacher, tmp_path_factory):
    """Folder of the model and of the work; its axes are learned in fewer steps."""
    folder = tmp_path_factory.mktemp("encoder")
    arguments = ["--teacher", teacher, "--data", training_data, "--work", folder / "work", "--to", folder / "tiny"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distill_encoder, "matryoshka_axes", partial(matryoshka_axes, steps=100))
        distill_encoder.main([*map(str, arguments), "--layers", "1", "--steps", "40", "--rate", "0.003"])
    return folder


def test_the_student_draws_near_to_its_teacher(run):
    noted = [json.loads(line) for line in (run / "work" / "log.jsonl").read_text().splitlines()]
    dev = [entry["dev"] for entry in noted if "dev" in entry][-1]
    assert dev["cosine"] > 0.9
    assert {"stsb", "scifact", "average"} <= set(dev)


def test_the_folder_loads_here_and_in_sentence_transformers(run):
    theirs = SentenceTransformer(str(run / "tiny"), device="cpu").encode(TEXTS)
    with Embedder(str(run / "tiny"), precision="float32") as embedder:
        np.testing.assert_allclose(embedder.embed_documents(TEXTS), theirs, atol=1e-5)


def test_the_first_dimensions_hold_most(run):
    with Embedder(str(run / "tiny"), precision="float32") as embedder:
        vectors = embedder.embed_documents(TEXTS)
    assert np.square(vectors[:, :8]).mean() > 2 * np.square(vectors[:, 8:]).mean()


def test_no_held_back_question_is_among_the_texts(training_data):
    held_back = squad_questions(training_data)
    rows = list(read_jsonl(training_data / "retrieval/squad/train_questions.jsonl.gz"))
    outside = {row["text"] for row in rows if row["_id"] not in held_back}
    inside = {row["text"] for row in rows if row["_id"] in held_back} - outside
    texts = set(collect(training_data, SOURCES, 0))
    assert inside
    assert outside <= texts
    assert not inside & texts


def test_cuts_are_parts_of_their_texts_and_of_many_lengths():
    text = " ".join(f"Sentence {number} is this one." for number in range(40))
    found = cuts([text] * 200, 1, 0)
    assert all(cut in text for cut in found)
    assert len({len(cut) for cut in found}) > 20
    assert found == cuts([text] * 200, 1, 0)
    assert found.count(text) > 50
    assert found != cuts([text] * 200, 1, 1)
