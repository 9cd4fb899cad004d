"""Whether something runs here or on a server, as fields that our LangChain classes share."""

from __future__ import annotations

from langchain_core.utils import secret_from_env
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from jina_components.remote import JINA, Remote


class RemoteFields(BaseModel):
    """Where a class that is given no component of ours finds one.

    With a key, in `jina_api_key` or the environment, or a `base_url`, it is asked for on a server; without either it is
    made here, of the same name.

    Attributes:
        jina_api_key: Key of the server; by default `JINA_API_KEY` or `JINA_AUTH_TOKEN` of the environment.
        base_url: The root of a server of `jina-components serve`, such as `http://localhost:8000`; by default, where
            there is a key, Jina's hosts.
        timeout: Seconds for a request.
        max_retries: Further attempts of a request that failed for a reason that may pass.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", protected_namespaces=())

    jina_api_key: SecretStr | None = Field(
        default_factory=secret_from_env(["JINA_API_KEY", "JINA_AUTH_TOKEN"], default=None)
    )
    base_url: str | None = None
    timeout: float = 60.0
    max_retries: int = 2

    @property
    def remote(self) -> Remote | None:
        """The server, or None for here."""
        if self.jina_api_key is None and self.base_url is None:
            return None
        key = self.jina_api_key.get_secret_value() if self.jina_api_key else None
        return Remote(self.base_url or JINA, api_key=key, timeout=self.timeout, retries=self.max_retries)
