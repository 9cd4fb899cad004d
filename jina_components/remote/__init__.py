"""Components that run on a server: Jina's, or one of `jina-components serve`. For models, see `Endpoint`."""

from jina_components.remote.address import JINA, Remote, is_of_jina
from jina_components.remote.classifier import RemoteClassifier
from jina_components.remote.deep_search import RemoteDeepSearch
from jina_components.remote.grounder import RemoteGrounder
from jina_components.remote.reader import RemoteReader
from jina_components.remote.search import RemoteSearch
from jina_components.remote.segmenter import RemoteSegmenter

__all__ = [
    "JINA",
    "Remote",
    "RemoteClassifier",
    "RemoteDeepSearch",
    "RemoteGrounder",
    "RemoteReader",
    "RemoteSearch",
    "RemoteSegmenter",
    "is_of_jina",
]
