"""The only home of httpx: guarded fetching, API calls, retries and the response cache."""

from jina_components.net.api import ApiClient
from jina_components.net.cache import ResponseCache
from jina_components.net.client import Fetcher
from jina_components.net.exchange import Fetched
from jina_components.net.guard import URLGuard

__all__ = ["ApiClient", "Fetched", "Fetcher", "ResponseCache", "URLGuard"]
