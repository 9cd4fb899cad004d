"""Documents and vectors for tests of the store."""

import numpy as np

from jina_components import Document
from jina_components.retriever.stores.faiss.store import FaissStore

DIMENSIONS = 8


def unit_vectors(count, seed=0, dimensions=DIMENSIONS):
    vectors = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def numbered(count, start=0):
    return [
        Document(f"text number{n} word{n % 7}", f"d{n}", {"n": n, "lang": ["en", "de"][n % 2]})
        for n in range(start, start + count)
    ]


def filled(directory=None, count=20, **settings):
    store = FaissStore(directory, **settings)
    store.put(numbered(count), unit_vectors(count))
    return store


def ids(store):
    return [document.id for document in store.scan()]


def nearest(store, vector, k=1, **options):
    """Ids of the documents nearest to a vector."""
    [hits] = store.search_dense(vector[None], k, **options)
    return [document.id for document in store.get([key for key, _ in hits])]


def found(store, query, k=10, **options):
    """Ids of the documents with the best words."""
    [hits] = store.search_lexical([query], k, **options)
    return [document.id for document in store.get([key for key, _ in hits])]


def with_checkpoint(directory):
    """Make a closed store of 40 documents: 30 in its checkpoint, one of those deleted since."""
    with filled(directory, 30) as store:
        store.compact()
        store.put(numbered(10, 30), unit_vectors(40)[30:])
        store.delete(["d3"])
    return directory


ALL = [f"d{n}" for n in range(40) if n != 3]
