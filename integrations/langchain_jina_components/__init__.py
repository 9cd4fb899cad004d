"""jina_components in LangChain, and LangChain in jina_components (`pip install 'jina-components[langchain]'`)."""

from langchain_jina_components.chat import LangChainChat
from langchain_jina_components.store import LangChainStore
from langchain_jina_components.vectors import GivenVectors

__all__ = ["GivenVectors", "LangChainChat", "LangChainStore"]
