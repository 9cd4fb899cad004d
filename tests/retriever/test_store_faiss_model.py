"""A store does what a dict and a matrix do, whatever comes in whatever order."""

import logging
import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from store_samples import found, unit_vectors

from jina_components import Document
from jina_components.core.late_interaction import max_sim
from jina_components.filters import Field
from jina_components.retriever.stores.faiss.compaction import save_checkpoint
from jina_components.retriever.stores.faiss.store import FaissStore

POOL = unit_vectors(512, seed=7)
NAMES = st.lists(st.integers(0, 30), max_size=12, unique=True)


def of_tokens(content):
    """None to three vectors."""
    return POOL[[(content + number) % len(POOL) for number in range(content % 4)]]


class StoreModel(RuleBasedStateMachine):
    """The model: id -> (content number, vector number), in the order of the last put."""

    directory = None

    def __init__(self):
        super().__init__()
        self.store = FaissStore(self.directory)
        self.model = {}
        self.contents = 0

    @rule(names=NAMES)
    def put(self, names):
        for name in names:
            self.model.pop(f"d{name}", None)
        numbers = range(self.contents, self.contents + len(names))
        self.contents += len(names)
        documents = [
            Document(f"content{number} both", f"d{name}", {"n": number % 5})
            for number, name in zip(numbers, names, strict=True)
        ]
        self.store.put(documents, POOL[[number % len(POOL) for number in numbers]], [of_tokens(n) for n in numbers])
        self.model.update({document.id: number for document, number in zip(documents, numbers, strict=True)})

    @rule(names=NAMES)
    def delete(self, names):
        count = self.store.delete([f"d{name}" for name in names])
        assert count == len([self.model.pop(f"d{name}") for name in names if f"d{name}" in self.model])

    @rule(rest=st.integers(0, 4))
    def delete_matching(self, rest):
        kept = {name: number for name, number in self.model.items() if number % 5 != rest}
        assert self.store.delete(filter=Field("n") == rest) == len(self.model) - len(kept)
        self.model = kept

    @rule()
    def compact(self):
        self.store.compact()

    @rule()
    def repair(self):
        assert not self.store.repair().problems

    @rule(number=st.integers(0, 511), rest=st.integers(0, 4), filtered=st.booleans())
    def search(self, number, rest, filtered):
        wanted = Field("n") == rest if filtered else None
        numbers = [n for n in self.model.values() if not filtered or n % 5 == rest]
        [hits] = self.store.search_dense(POOL[number][None], 5, wanted)
        expected = np.sort(POOL[[n % len(POOL) for n in numbers]] @ POOL[number])[::-1][:5]
        assert np.allclose([score for _, score in hits], expected, atol=1e-5)
        [hits] = self.store.search_multi_vector([of_tokens(number)], 5, wanted)
        scores = max_sim(of_tokens(number), [of_tokens(n) for n in numbers if n % 4 and number % 4])
        assert np.allclose([score for _, score in hits], np.sort(scores)[::-1][:5], atol=0.1)
        assert len(found(self.store, "both", 100, filter=wanted)) == len(numbers)
        for name, content in list(self.model.items())[:3]:
            assert found(self.store, f"content{content}") == [name]

    @invariant()
    def holds_the_same(self):
        held = [(document.id, document.text) for document in self.store.scan()]
        assert held == [(name, f"content{number} both") for name, number in self.model.items()]
        assert self.store.count() == len(self.model)

    def teardown(self):
        assert not self.store.verify().problems
        self.store.close()


class DirectoryModel(StoreModel):
    """The same in a directory, which can be opened again, and by another at the same time."""

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp()) / "index"
        super().__init__()
        self.other = FaissStore(self.directory)
        self.warnings = []
        self.handler = logging.Handler()
        self.handler.emit = self.warnings.append
        logging.getLogger("jina_components").addHandler(self.handler)

    @rule()
    def reopen(self):
        self.store.close()

    @rule()
    def change_places(self):
        self.store, self.other = self.other, self.store

    @rule()
    def save_checkpoint(self):
        with self.store._engine.working():
            save_checkpoint(self.store._engine)

    @rule()
    def copy(self):
        self.store.save_to(self.directory.with_name("copy"))
        with FaissStore(self.directory.with_name("copy")) as copy:
            assert list(copy.scan()) == list(self.store.scan())

    def teardown(self):
        logging.getLogger("jina_components").removeHandler(self.handler)
        assert not self.warnings
        super().teardown()
        assert self.other.count() == len(self.model)
        self.other.close()
        shutil.rmtree(self.directory.parent)


_settings = settings(stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TestStoreInMemory = StoreModel.TestCase
TestStoreInMemory.settings = settings(_settings, max_examples=30)
TestStoreInDirectory = DirectoryModel.TestCase
TestStoreInDirectory.settings = settings(_settings, max_examples=15)
