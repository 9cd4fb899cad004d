from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from jina_components import Document, Embedder
from jina_components.core.background import run_sync
from jina_components.errors import ConfigError, InputError
from jina_components.fine_tuner.mining import MiningSettings
from jina_components.fine_tuner.synthesize import SynthesisSettings, synthesize
from jina_components.fine_tuner.triplets import SPLITS, Triplets
from jina_components.testing import FakeChat

METALS = "copper silver cobalt nickel chromium tungsten titanium zinc lithium platinum iridium bismuth".split()  # noqa: SIM905
USES = "kettles spoons magnets coins bumpers filaments hulls roofs batteries rings nibs fuses".split()  # noqa: SIM905
PLACES = "Chile Peru Congo Cuba Turkey Portugal Norway Ireland Bolivia Russia Brazil Mexico".split()  # noqa: SIM905


def mineral(metal, use, place):
    text = (
        f"{metal.title()} is a metal that smiths of {place} turn into {use}. {metal.title()} is used for {use} because "
        f"it is hard. The {metal} mines of {place} were opened in 1878 by three brothers. To polish {use} made of "
        f"{metal}, rub them with chalk and a dry cloth. Old {use} from {place} fetch high prices at auctions today."
    )
    return Document(text, id=f"{metal} {use}")


DOCUMENTS = [mineral(*each) for each in zip(METALS, USES, PLACES, strict=True)] + [
    mineral(*each) for each in zip(METALS, USES[1:] + USES[:1], PLACES[2:] + PLACES[:2], strict=True)
]
SETTINGS = SynthesisSettings(dev=0.2, test=0.2, max_tokens=64)


@pytest.fixture(scope="module")
def embedder():
    with Embedder("static-minilm-v1", truncate=True) as embedder:
        yield embedder


def made(embedder, documents=DOCUMENTS, **settings):
    return run_sync(synthesize(documents, embedder=embedder, **{"settings": SETTINGS, **settings}))


@pytest.fixture(scope="module")
def triplets(embedder):
    return made(embedder)


def every(triplets):
    return [triplet for split in SPLITS for triplet in getattr(triplets, split)]


def test_questions_are_derived_without_a_chat_model(triplets):
    kinds = {triplet.kind for triplet in every(triplets)}
    assert {"sentence", "keywords", "definition"} <= kinds
    asked = [triplet.query.lower() for triplet in every(triplets)]
    assert len(asked) == len(set(asked))
    assert all(triplet.language == "en" for triplet in every(triplets))
    assert sum(triplets.about["kinds"].values()) == len(asked)
    assert triplets.about["questions_by"] == "rules"


def test_splits_share_neither_documents_nor_negatives(triplets):
    assert all(getattr(triplets, split) for split in SPLITS)
    seen = [
        {triplets.passages[name].document for t in getattr(triplets, split) for name in (t.positive, *t.negatives)}
        for split in SPLITS
    ]
    assert len(set.union(*seen)) == sum(map(len, seen))


def test_a_later_larger_run_keeps_its_splits(embedder, triplets):
    fewer = made(embedder, DOCUMENTS[:18])
    homes = [
        {each.passages[t.positive].document: split for split in SPLITS for t in getattr(each, split)}
        for each in (fewer, triplets)
    ]
    assert homes[0].items() <= homes[1].items()


def test_the_same_arguments_give_the_same(embedder, triplets):
    again, other = made(embedder), made(embedder, seed=1)
    assert every(again) == every(triplets)
    assert again.about == triplets.about
    assert every(other) != every(triplets)


def test_some_passages_are_without_the_questions_words(embedder):
    triplets = made(embedder, settings=replace(SETTINGS, masked=0.5))
    masked = [t for t in triplets.train if t.kind == "sentence" and t.query not in triplets.passages[t.positive].text]
    assert masked
    assert len(masked) < sum(t.kind == "sentence" for t in triplets.train)
    for triplet in (*triplets.dev, *triplets.test):
        assert triplet.kind != "sentence" or triplet.query in triplets.passages[triplet.positive].text


def test_unmasked_a_whole_sentence_is_asked_where_there_is_nothing_else(embedder, triplets):
    def asked(found, verbatim):
        rows = [*found.train, *found.dev, *found.test]
        return {each.positive for each in rows if (each.kind == "sentence") == verbatim}

    assert not asked(triplets, verbatim=True) & asked(triplets, verbatim=False)
    masked = made(embedder, settings=replace(SETTINGS, masked=0.5))
    assert asked(masked, verbatim=True) & asked(masked, verbatim=False)


def test_nothing_is_masked_where_nothing_should(embedder):
    whole = made(embedder, settings=SynthesisSettings(dev=0.2, test=0.2, max_tokens=64, masked=0))
    assert len(whole.passages) == whole.about["passages"]


def test_copies_of_a_document_stay_together_and_answer_once(embedder):
    copies = [Document(document.text + " More.", id=f"copy {document.id}") for document in DOCUMENTS]
    both = made(embedder, [*DOCUMENTS, *copies])
    assert both.about["copies"] == len(DOCUMENTS)
    for triplet in every(both):
        own = both.passages[triplet.positive].document.removeprefix("copy ")
        assert own not in {both.passages[name].document.removeprefix("copy ") for name in triplet.negatives}


def test_no_more_questions_than_asked_for(embedder):
    few = made(embedder, settings=SynthesisSettings(most=30, questions=2, dev=0.2, test=0.2))
    assert len(every(few)) <= 30
    by_passage = [triplet.positive.split("-")[0] for triplet in every(few)]
    assert max(map(by_passage.count, by_passage)) <= 2


def chat_reply(messages):
    passage = json.loads(messages[1].content)["passage"]
    return json.dumps({"questions": [f"who sells {' '.join(passage.split()[:8])}", "what does it cost"]})


def test_a_chat_model_asks_where_there_is_one(embedder, tmp_path):
    chat = FakeChat(chat_reply)
    found = made(embedder, chat=chat, work=tmp_path)
    assert {triplet.kind for triplet in every(found)} == {"chat"}
    assert not any(triplet.query == "what does it cost" for triplet in every(found))  # fits all
    assert found.about["dropped"]["fits many"] >= len(DOCUMENTS)
    assert found.about["usage"]["prompt_tokens"] > 0
    again = FakeChat([])
    assert every(made(embedder, chat=again, work=tmp_path)) == every(found)
    assert not again.asked


def test_what_is_made_can_be_saved_and_loaded(triplets, tmp_path):
    triplets.save(tmp_path / "triplets")
    loaded = Triplets.load(tmp_path / "triplets")
    assert every(loaded) == every(triplets)
    assert loaded.passages == dict(triplets.passages)
    assert json.loads(json.dumps(loaded.about)) == json.loads(json.dumps(triplets.about))


@pytest.mark.parametrize(
    ("documents", "told"),
    [("one text", "must be a list"), ([], "no text"), ([" "], "no text"), (["Rain."], "no question to train with")],
)
def test_documents_that_give_nothing_are_an_error(embedder, documents, told):
    with pytest.raises(InputError, match=told):
        made(embedder, documents)


@pytest.mark.parametrize("wrong", [{"most": 0}, {"masked": 2}, {"dev": 0.5, "test": 0.5}, {"questions": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match="must be"):
        SynthesisSettings(**wrong)


@pytest.mark.parametrize("wrong", [{"candidates": 0}, {"margin": 0}, {"judged": 0}, {"negatives": -1}])
def test_settings_of_mining_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match="must be"):
        MiningSettings(**wrong)


async def test_it_can_be_cancelled(embedder):
    running = asyncio.create_task(synthesize(DOCUMENTS, embedder=embedder, settings=SETTINGS))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
