"""No key of the environment, and a service under the names of Jina's models."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from langchain_parts import jina_names
from running_service import Served


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JINA_API_KEY", "JINAAI_API_KEY", "JINA_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def jina(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with jina_names(tmp_path_factory.mktemp("served")) as service:
        yield service
