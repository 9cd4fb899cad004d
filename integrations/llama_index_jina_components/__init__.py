"""jina_components in LlamaIndex, and LlamaIndex in jina_components (`pip install 'jina-components[llama-index]'`)."""

from llama_index_jina_components.chat import LlamaIndexChat
from llama_index_jina_components.store import LlamaIndexStore

__all__ = ["LlamaIndexChat", "LlamaIndexStore"]
