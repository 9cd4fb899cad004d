"""The HTTP service: Jina's, OpenAI's and Cohere's APIs over the components of this library."""

from jina_components.service.app import create_app
from jina_components.service.calls import Access, Caller, OpenAccess
from jina_components.service.components import Components
from jina_components.service.settings import Limits, ServiceSettings

__all__ = ["Access", "Caller", "Components", "Limits", "OpenAccess", "ServiceSettings", "create_app"]
