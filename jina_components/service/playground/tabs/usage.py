"""In work."""

from __future__ import annotations

from jina_components.service.playground.page import Page


def add(page: Page) -> None:
    """In work."""
