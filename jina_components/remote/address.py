"""Where the products are served: on Jina's hosts, or all on one server of `jina-components serve`."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from jina_components.core.names import resolve_name
from jina_components.models.endpoint import Endpoint

Product = Literal["models", "reader", "search", "grounding", "deepsearch"]

JINA = "https://api.jina.ai"
"""The address that stands for all of Jina's hosts."""

_HOSTS: dict[str, str] = {
    "models": f"{JINA}/v1",
    "reader": "https://r.jina.ai",
    "search": "https://s.jina.ai",
    "grounding": "https://g.jina.ai",
    "deepsearch": "https://deepsearch.jina.ai/v1",
}
_OWN = ".jina.ai"
_PATHS: dict[str, str] = {"models": "/v1", "reader": "/r", "search": "/s", "grounding": "/g", "deepsearch": "/v1"}


@dataclass(frozen=True, slots=True)
class Remote:
    """Where the products are served, and how they are asked. Pickles, key included.

    Attributes:
        base_url: `https://api.jina.ai` for Jina's hosts (each product has its own), or the root of a server that serves
            all of them, such as `http://localhost:8000`; a `/v1` at its end is taken off. The URL guard does not apply.
        api_key: Bearer token; shown in no repr and no error.
        concurrency: Requests in flight at a time.
        timeout: Seconds for each request, retries and waits included; of a stream, from one event to the next.
        retries: Further attempts of a request on lost connections and on 429, 502, 503 and 504.

    Raises:
        ConfigError: a setting makes no sense.

    Example:
        >>> Remote("http://localhost:8000").endpoint("reader").base_url
        'http://localhost:8000/r'
    """

    base_url: str = JINA
    _: KW_ONLY
    api_key: str | None = field(default=None, repr=False)
    concurrency: int = 4
    timeout: float = 60.0
    retries: int = 2

    def __post_init__(self) -> None:
        self.endpoint("models")  # refuses what makes no sense

    def endpoint(self, product: Product) -> Endpoint:
        """Where a product is: `models` for embeddings, reranking, classification and segmentation."""
        resolve_name(_PATHS, product, what="product")
        root = self.base_url.rstrip("/").removesuffix("/v1") if isinstance(self.base_url, str) else self.base_url
        return Endpoint(
            _HOSTS[product] if is_of_jina(root) else f"{root}{_PATHS[product]}",
            api_key=self.api_key,
            dialect="jina",
            concurrency=self.concurrency,
            timeout=self.timeout,
            retries=self.retries,
        )


def is_of_jina(url: object) -> bool:
    """Whether an address is of Jina's own servers."""
    try:
        host = urlsplit(url).hostname if isinstance(url, str) else None
    except ValueError:  # which is for the endpoint to tell
        return False
    return host is not None and f".{host}".endswith(_OWN)
