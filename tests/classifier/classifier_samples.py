"""Embedders and examples for the tests of the classifier."""

import threading

import numpy as np

from jina_components import Image
from jina_components.core.vectors import normalize
from jina_components.testing import FakeEmbedder
from jina_components.types import Embeddings, Usage

SPORTS = ["the team won the match", "a goal in the last minute", "the runner won the race", "a match of two halves"]
COOKING = ["stir the soup slowly", "bake the bread in the oven", "add salt to the soup", "the oven is too hot"]
EXAMPLES = [*((text, "sports") for text in SPORTS), *((text, "cooking") for text in COOKING)]


class SeeingEmbedder(FakeEmbedder):
    """Takes tasks and images, which are their bytes as words, and tells usage, as an `Embedder` does."""

    def __init__(self, *, dimensions=32):
        super().__init__(dimensions=dimensions)
        self.calls = []

    def embed(self, inputs, *, task=None):
        self.calls.append((list(inputs), task))
        texts = [item.source.decode() if isinstance(item, Image) else item for item in inputs]
        return Embeddings(self.embed_documents(texts), Usage(sum(len(text.split()) for text in texts)))


class BlockingEmbedder(FakeEmbedder):
    """Stops at texts that begin with "wait" until it is let go."""

    def __init__(self, *, dimensions=32):
        super().__init__(dimensions=dimensions)
        self.is_waiting = threading.Event()
        self.go_on = threading.Event()

    def embed_documents(self, texts):
        if any(text.startswith("wait") for text in texts):
            self.is_waiting.set()
            assert self.go_on.wait(60)
        return super().embed_documents(texts)


class NarrowEmbedder(FakeEmbedder):
    """Places all texts close together, as many trained embedders do; the order of cosines stays."""

    def embed_documents(self, texts):
        rows = super().embed_documents(texts)
        common = np.ones(self.dimensions, np.float32) * 2
        return normalize(rows + common)
