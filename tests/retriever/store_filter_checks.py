"""Filters on a store of random metadata, beside what `filters.matches` says of them."""

from filter_strategies import filters, metadata
from hypothesis import given, settings

from jina_components.filters import matches
from jina_components.testing.store_samples import with_vectors
from jina_components.types import Document


def check_random_filters(store, *, examples):
    """Put documents of random metadata into an empty store, and ask it for those that meet random filters."""
    documents = [Document("kavo", f"d{number}", one) for number, one in enumerate(_random_metadata(150))]
    with_vectors(documents).put_into(store)

    @settings(max_examples=examples, deadline=None, database=None)
    @given(filters())
    def check(filter):
        wanted = {document.id for document in documents if matches(document.metadata, filter)}
        assert {document.id for document in store.scan(filter=filter)} == wanted

    check()


def _random_metadata(number):
    drawn = []

    @settings(max_examples=number, derandomize=True, database=None)
    @given(metadata())
    def draw(one):
        drawn.append(one)

    draw()
    return drawn
