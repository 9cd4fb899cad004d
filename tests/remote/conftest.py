from __future__ import annotations

from collections.abc import Iterator

import pytest
from running_service import Served, served


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for all tests here: each asks it, none of them changes it for others."""
    with served(tmp_path_factory.mktemp("served")) as service:
        yield service
