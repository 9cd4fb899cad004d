import pytest
from retriever_samples import DOCUMENTS

from jina_components import Retriever
from jina_components.testing import FakeEmbedder


@pytest.fixture
def retriever():
    retriever = Retriever(FakeEmbedder())
    retriever.add(DOCUMENTS)
    return retriever
