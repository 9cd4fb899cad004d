"""Documents that the tests retrieve."""

from jina_components import Document
from jina_components.testing import FakeEmbedder
from jina_components.types import MultiVectorEmbeddings

DOCUMENTS = [
    Document("Paris is the capital of France.", "paris", {"lang": "en", "page": 1}),
    Document("Berlin ist die Hauptstadt von Deutschland.", "berlin", {"lang": "de", "page": 2}),
    Document("Rain is due in the afternoon.", "rain", {"lang": "en", "page": 3}),
]


class WordVectors:
    """A multi-vector model: the vectors of a text are those of its words."""

    name = "words"

    def embed_multi_vector(self, inputs, *, task="retrieval.passage"):
        embedder = FakeEmbedder(dimensions=64)
        return MultiVectorEmbeddings(tuple(embedder.embed_documents(text.split()) for text in inputs))
