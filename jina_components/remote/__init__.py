"""Components that run on a server: Jina's, or one of `jina-components serve`. For models, see `Endpoint`."""

from jina_components.remote.address import JINA, Remote

__all__ = ["JINA", "Remote"]
