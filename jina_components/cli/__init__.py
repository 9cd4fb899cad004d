"""The `jina-components` command."""

from jina_components.cli.main import main

__all__ = ["main"]
