"""What a key in the environment does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_jina_components import JinaClassifier, JinaGround, JinaReader, JinaReaderLoader, JinaTextSplitter

from jina_components import Classifier, Grounder, Reader, Segmenter
from jina_components.remote import RemoteClassifier, RemoteGrounder, RemoteReader, RemoteSegmenter

KEY = "jina_secret"


@pytest.mark.parametrize(
    "make",
    [
        JinaReader, JinaGround, JinaClassifier, JinaTextSplitter,
        lambda **settings: JinaReaderLoader("a.md", **settings),
    ],
)  # fmt: skip
def test_a_key_in_the_environment_sends_no_texts_away_of_what_had_no_predecessor(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JINA_API_KEY", KEY)

    def part(made: Any) -> object:
        return made._segmenter if isinstance(made, JinaTextSplitter) else made._component

    assert isinstance(part(make()), Classifier | Grounder | Reader | Segmenter)
    asked = part(make(jina_api_key=KEY))
    assert isinstance(asked, RemoteClassifier | RemoteGrounder | RemoteReader | RemoteSegmenter)
