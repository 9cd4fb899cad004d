"""The only home of httpx: guarded fetching, API calls, retries, politeness, robots.txt and the response cache."""

from jina_components.net.api import ApiClient
from jina_components.net.cache import CacheEntry, ResponseCache
from jina_components.net.client import Fetcher
from jina_components.net.exchange import Fetched
from jina_components.net.guard import URLGuard
from jina_components.net.options import FetchOptions, SupportsFetch
from jina_components.net.passage import PassageLimits
from jina_components.net.politeness import Politeness

__all__ = [
    "ApiClient",
    "CacheEntry",
    "FetchOptions",
    "Fetched",
    "Fetcher",
    "PassageLimits",
    "Politeness",
    "ResponseCache",
    "SupportsFetch",
    "URLGuard",
]
