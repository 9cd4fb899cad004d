import asyncio
import multiprocessing
import os
import pickle
import sqlite3
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

import pytest
from classifier_samples import EXAMPLES, BlockingEmbedder, SeeingEmbedder

from jina_components.classifier import ClassifierRegistry
from jina_components.errors import (
    BusyError,
    ConfigError,
    IndexMismatchError,
    InputError,
    ModelFilesError,
    UnknownNameError,
)
from jina_components.testing import FakeEmbedder
from jina_components.types import Usage

TEXTS = ["the team won", "salt the soup"]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "classifiers"


@pytest.fixture
def registry(folder):
    return ClassifierRegistry(folder, {"fake": FakeEmbedder(), "seeing": SeeingEmbedder()})


def test_what_is_known_of_a_classifier(registry, folder):
    made = registry.create("seeing", owner="ann")
    assert str(uuid.UUID(made.id)) == made.id
    assert (made.owner, made.model, made.access, made.labels) == ("ann", "seeing", "private", ())
    assert (made.updated_number, made.used_number, made.used_at) == (0, 0, None)
    assert made.updated_at == made.created_at
    assert datetime.fromisoformat(made.created_at).utcoffset().total_seconds() == 0

    training = registry.train(made.id, EXAMPLES, user="ann")
    assert training.usage.total_tokens > 0
    results = registry.classify(made.id, TEXTS, user="ann")
    assert [result.label for result in results] == ["sports", "cooking"]
    assert results.usage == Usage(6)
    registry.classify(made.id, TEXTS, user="ann")
    now = ClassifierRegistry(folder, {}).get(made.id, user="ann")
    assert (now.labels, now.updated_number, now.used_number) == (("sports", "cooking"), 1, 2)
    assert made.created_at <= now.updated_at <= now.used_at
    registry.train(made.id, [("rain", "weather")], user="ann", num_iters=3)
    assert registry.get(made.id, user="ann").updated_number == 2
    assert registry.list("ann") == (registry.get(made.id, user="ann"),)


def test_others_know_of_public_ones_alone(registry):
    private, public = (registry.create("fake", owner="ann", access=access) for access in ("private", "public"))
    for made in (private, public):
        registry.train(made.id, EXAMPLES, user="ann")
    unknown = str(uuid.uuid4())
    assert registry.classify(public.id, TEXTS, user="bob")[0].label == "sports"
    assert registry.get(public.id, user="bob").used_number == 1
    refused = [
        lambda: registry.get(private.id, user="bob"),
        lambda: registry.classify(private.id, TEXTS, user="bob"),
        *(partial(registry.train, some, EXAMPLES, user="bob") for some in (private.id, public.id, unknown)),
        *(partial(registry.delete, some, owner="bob") for some in (private.id, public.id, unknown)),
        *(partial(registry.get, no, user="ann") for no in (unknown, "../x", "", "\ud800", None, private.id.upper())),
    ]
    for call in refused:
        with pytest.raises(
            UnknownNameError, match=r"^Unknown classifier .*: there is none, or it is another user's\.$"
        ):
            call()
    assert registry.list("bob") == ()
    assert [made.id for made in registry.list("ann")] == [private.id, public.id]
    assert [made.updated_number for made in registry.list("ann")] == [1, 1]


def test_what_is_deleted_is_gone(registry, folder):
    made, kept = (registry.create("fake", owner="ann") for _ in range(2))
    registry.train(made.id, EXAMPLES, user="ann")
    registry.delete(made.id, owner="ann")
    registry.delete(registry.create("fake", owner="ann").id, owner="ann")
    assert [entry.id for entry in registry.list("ann")] == [kept.id]
    assert not (folder / made.id).exists()
    for call in (registry.get, partial(registry.classify, inputs=TEXTS)):
        with pytest.raises(UnknownNameError):
            call(made.id, user="ann")


def test_a_deletion_that_was_cut_short_is_ended(registry, folder):
    made = registry.create("fake", owner="ann")
    registry.train(made.id, EXAMPLES, user="ann")
    left = folder / str(uuid.uuid4())
    left.mkdir()
    (left / "manifest.json").write_text("{}")
    with sqlite3.connect(folder / "registry.sqlite3") as connection:
        connection.execute("INSERT INTO deleted VALUES (?)", (left.name,))
    connection.close()
    again = ClassifierRegistry(folder, {"fake": FakeEmbedder()})
    assert again.classify(made.id, TEXTS, user="ann")
    assert not left.exists()


def test_an_old_copy_of_the_database_costs_no_classifier(registry, folder):
    """Who restores a copy after damage must not lose what was trained since."""
    made = registry.create("fake", owner="ann")
    registry.train(made.id, EXAMPLES, user="ann")
    with sqlite3.connect(folder / "registry.sqlite3") as connection:
        connection.execute("DELETE FROM classifiers")
    connection.close()
    assert ClassifierRegistry(folder, {"fake": FakeEmbedder()}).list("ann") == ()
    assert (folder / made.id / "manifest.json").exists()


def test_names_of_labels_that_are_codes_are_not_learned_from(registry):
    named, coded = (registry.create("seeing", owner="ann", use_label_names=use) for use in (True, False))
    assert (named.use_label_names, coded.use_label_names) == (True, False)
    with_names, without = (registry.train(made.id, EXAMPLES, user="ann").usage for made in (named, coded))
    assert with_names.total_tokens > without.total_tokens == sum(len(text.split()) for text, _ in EXAMPLES)


def test_a_kill_after_training_is_made_up_for(registry, folder):
    made = registry.create("fake", owner="ann")
    registry.train(made.id, EXAMPLES, user="ann")
    with sqlite3.connect(folder / "registry.sqlite3") as connection:
        connection.execute("UPDATE classifiers SET labels = '[]', updated_number = 0")
    connection.close()
    registry.classify(made.id, TEXTS, user="ann")
    assert registry.get(made.id, user="ann").labels == ("sports", "cooking")
    assert registry.get(made.id, user="ann").updated_number == 1


def test_one_trains_at_a_time(folder):
    embedder = BlockingEmbedder()
    registry = ClassifierRegistry(folder, {"fake": embedder})
    made = registry.create("fake", owner="ann")
    registry.train(made.id, EXAMPLES, user="ann")
    thread = threading.Thread(target=registry.train, args=(made.id, [("wait", "x")]), kwargs={"user": "ann"})
    thread.start()
    assert embedder.is_waiting.wait(30)
    other = ClassifierRegistry(folder, {"fake": FakeEmbedder()})
    for some in (registry, other):
        with pytest.raises(BusyError):
            some.train(made.id, EXAMPLES, user="ann")
        with pytest.raises(BusyError):
            some.delete(made.id, owner="ann")
        assert some.classify(made.id, TEXTS, user="ann")[0].label == "sports"
    embedder.go_on.set()
    thread.join(30)
    assert other.get(made.id, user="ann").labels == ("sports", "cooking", "x")


async def test_the_async_twins_do_the_same(registry):
    made, other = (registry.create("fake", owner="ann") for _ in range(2))
    assert await registry.atrain(made.id, EXAMPLES, user="ann") == registry.train(other.id, EXAMPLES, user="ann")
    expected = registry.classify(other.id, TEXTS, user="ann")
    assert await asyncio.gather(*(registry.aclassify(made.id, TEXTS, user="ann") for _ in range(3))) == [expected] * 3
    assert registry.get(made.id, user="ann").used_number == 3
    with pytest.raises(UnknownNameError):
        await registry.aclassify(made.id, TEXTS, user="bob")
    with pytest.raises(UnknownNameError):
        await registry.atrain(made.id, TEXTS, user="bob")
    assert await registry.aget(made.id, user="ann") == registry.get(made.id, user="ann")
    assert await registry.alist("ann") == registry.list("ann")
    assert (await registry.acreate("fake", owner="bob", access="public")).access == "public"
    await registry.adelete(made.id, owner="ann")
    assert registry.list("ann") == (registry.get(other.id, user="ann"),)
    with pytest.raises(UnknownNameError):
        await registry.adelete(made.id, owner="ann")


async def test_one_made_of_examples_is_there_with_what_it_has_learned_or_not_at_all(registry, folder):
    made, training = registry.create_trained("fake", EXAMPLES, owner="ann", access="public")
    again, same = await registry.acreate_trained("fake", EXAMPLES, owner="ann")
    assert training == same
    assert [made, again] == list(registry.list("ann"))
    assert (made.labels, made.updated_number, made.access) == (("sports", "cooking"), 1, "public")
    assert registry.classify(made.id, TEXTS, user="bob")[0].label == "sports"
    kept = sorted(path.name for path in folder.iterdir())
    for wrong in ([*EXAMPLES, ("", "sports")], [("x", " ")]):
        with pytest.raises(InputError):
            registry.create_trained("fake", wrong, owner="bob")
        with pytest.raises(InputError):
            await registry.acreate_trained("fake", wrong, owner="bob")
    with pytest.raises(UnknownNameError):
        registry.create_trained("other", EXAMPLES, owner="bob")
    assert registry.list("bob") == ()
    assert sorted(path.name for path in folder.iterdir()) == kept


def test_an_embedder_that_took_the_place_of_another_is_the_one_used(folder):
    embedders = {"fake": FakeEmbedder()}
    registry = ClassifierRegistry(folder, embedders)
    made, _ = registry.create_trained("fake", EXAMPLES, owner="ann")
    embedders["fake"] = FakeEmbedder(dimensions=16)
    with pytest.raises(IndexMismatchError):
        registry.classify(made.id, TEXTS, user="ann")
    embedders["fake"] = FakeEmbedder()
    assert registry.classify(made.id, TEXTS, user="ann")[0].label == "sports"


def test_embedders_by_a_function(folder):
    asked = []

    def embedder(name):
        asked.append(name)
        return FakeEmbedder(dimensions=int(name))

    registry = ClassifierRegistry(folder, embedder)
    made = registry.create("16", owner="ann")
    registry.train(made.id, EXAMPLES, user="ann")
    registry.close()
    assert registry.classify(made.id, TEXTS, user="ann")
    assert set(asked) == {"16"}


def test_wrong_arguments_are_refused(folder, registry):
    with pytest.raises(UnknownNameError, match=r"Unknown model 'fak'. Did you mean 'fake'\?"):
        registry.create("fak", owner="ann")
    with pytest.raises(ConfigError, match="'private' or 'public', got 'secret'"):
        registry.create("fake", owner="ann", access="secret")
    for owner in ("", None, 3, "\ud800"):
        with pytest.raises(InputError, match="owner"):
            registry.create("fake", owner=owner)
        with pytest.raises(InputError, match="owner"):
            registry.list(owner)
    with pytest.raises(ConfigError, match="embedders"):
        ClassifierRegistry(folder, FakeEmbedder())
    made = registry.create("fake", owner="Robert'); DROP TABLE classifiers;--")
    assert registry.list(made.owner) == (made,)
    with pytest.raises(ConfigError, match="nothing has been learned"):
        registry.classify(made.id, TEXTS, user=made.owner)
    assert registry.get(made.id, user=made.owner).used_number == 0


def test_damage_is_told(folder, registry, tmp_path):
    registry.create("fake", owner="ann")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "registry.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(ModelFilesError, match=r"registry.sqlite3 cannot be used: .*restore it from a copy"):
        ClassifierRegistry(tmp_path / "other", {}).list("ann")
    with sqlite3.connect(folder / "registry.sqlite3") as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(ModelFilesError, match="format version 2, .* upgrade jina-components"):
        ClassifierRegistry(folder, {}).list("ann")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelFilesError, match="cannot be used"):
        ClassifierRegistry(tmp_path / "file", {}).list("ann")


def test_it_pickles_as_its_settings(registry):
    made = registry.create("fake", owner="ann")
    assert pickle.loads(pickle.dumps(registry)).get(made.id, user="ann") == made
    assert repr(registry).startswith("ClassifierRegistry('")


def test_many_threads_at_once(registry):
    shared = registry.create("fake", owner="ann", access="public")
    registry.train(shared.id, EXAMPLES, user="ann")

    def work(number):
        own = registry.create("fake", owner=f"user {number % 3}")
        registry.train(own.id, EXAMPLES, user=own.owner)
        assert registry.classify(own.id, TEXTS, user=own.owner)[0].label == "sports"
        assert registry.classify(shared.id, TEXTS, user=own.owner)[1].label == "cooking"
        if number % 2:
            registry.delete(own.id, owner=own.owner)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(18)))
    assert registry.get(shared.id, user="ann").used_number == 18
    assert sum(len(registry.list(f"user {number}")) for number in range(3)) == 9


def test_many_open_it_for_the_first_time_at_once(folder):
    def make(number):
        return ClassifierRegistry(folder, {"fake": FakeEmbedder()}).create("fake", owner="ann").id

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(make, range(16)))
    assert {kept.id for kept in ClassifierRegistry(folder, {}).list("ann")} == made


def use_it(folder, id):
    registry = ClassifierRegistry(folder, {"fake": FakeEmbedder()})
    for _ in range(5):
        registry.classify(id, TEXTS, user="bob")


@pytest.mark.skipif(os.name == "nt", reason="slow to start processes")
def test_processes_share_it(folder, registry):
    made = registry.create("fake", owner="ann", access="public")
    registry.train(made.id, EXAMPLES, user="ann")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=use_it, args=(folder, made.id)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(100)
        assert process.exitcode == 0
    assert registry.get(made.id, user="ann").used_number == 10
