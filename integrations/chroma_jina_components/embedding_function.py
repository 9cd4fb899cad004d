"""Chroma's embedding functions over an `Embedder`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from chromadb.api.types import Documents, EmbeddingFunction, Embeddings, Space
from chromadb.utils.embedding_functions import register_embedding_function

from jina_components import Embedder
from jina_components.errors import ConfigError
from jina_components.remote import JINA, Remote


@register_embedding_function
class JinaEmbeddingFunction(EmbeddingFunction[Documents]):
    """Embeds what a collection holds as documents, and what it is asked as queries, by cosine.

    The collection keeps its settings, and who opens it again after importing this gets the same vectors without naming
    it. A key is not kept, but the name of the environment variable that holds it.

    Args:
        embedder: Makes the vectors; None for the bundled model, or the one that `model_name` says.
        model_name: A model, here or on the server.
        base_url: Root of a server of `jina-components serve`; where there is only a variable for a key, Jina's hosts.
        api_key_env_var: Environment variable of the server's key, such as `JINA_API_KEY`.

    Raises:
        ConfigError: an embedder and settings of another, a server without a model's name, or an unset variable.

    Example:
        >>> notes = chromadb.Client().create_collection("notes", embedding_function=JinaEmbeddingFunction())
        >>> notes.add(ids=["1"], documents=["The moon pulls the water of the sea."])
    """

    def __init__(
        self,
        embedder: Embedder | None = None,
        *,
        model_name: str | None = None,
        base_url: str | None = None,
        api_key_env_var: str | None = None,
    ) -> None:
        settings = {"model_name": model_name, "base_url": base_url, "api_key_env_var": api_key_env_var}
        if embedder is None:
            self._embedder = _made(model_name, base_url, api_key_env_var)
            self._settings = {**settings, "model_name": self._embedder.name}  # another release may have another default
        elif any(settings.values()):
            raise ConfigError("An embedder has its model and server already: give it, or the others.")
        else:
            self._embedder = embedder
            self._settings = {}

    def __call__(self, input: Documents) -> Embeddings:
        """Vectors of documents."""
        return [*self._embedder.embed_documents(input)]

    def embed_query(self, input: Documents) -> Embeddings:
        """Vectors of queries."""
        return [*self._embedder.embed(input, task="retrieval.query").vectors]

    @staticmethod
    def name() -> str:
        """What a collection's settings call it."""
        return "jina_components"

    def default_space(self) -> Space:
        """Cosine."""
        return "cosine"

    def get_config(self) -> dict[str, Any]:
        """What the collection keeps.

        Raises:
            ConfigError: the embedder holds a key; `api_key_env_var` names one without holding it.
        """
        return self._settings or {"embedder": self._embedder.to_dict()}

    def validate_config_update(self, old_config: dict[str, Any], new_config: dict[str, Any]) -> None:
        """Tell who changes what makes the vectors of a collection; its server and the key's variable may change.

        Raises:
            ConfigError: these settings make other vectors. Chroma asks when it has written them already.
        """
        if any(old_config.get(name) != new_config.get(name) for name in ("embedder", "model_name")):
            raise ConfigError(
                "These settings make other vectors than the collection holds: give it back the ones it had, and make "
                "another collection for these."
            )

    @staticmethod
    def build_from_config(config: Mapping[str, Any]) -> JinaEmbeddingFunction:
        """That of what a collection kept.

        Raises:
            ConfigError: these are no settings of one.
        """
        if "embedder" in config:
            return JinaEmbeddingFunction(Embedder.from_dict(config["embedder"]))
        return JinaEmbeddingFunction(**config)


def _made(model_name: str | None, base_url: str | None, variable: str | None) -> Embedder:
    if base_url is None and variable is None:
        return Embedder(model_name) if model_name else Embedder()
    if model_name is None:
        raise ConfigError("model_name must say which model of the server to use.")
    key = os.environ.get(variable) if variable else None
    if variable and not key:
        raise ConfigError(f"The environment variable {variable} is not set, which should hold the server's key.")
    return Embedder(model_name, endpoint=Remote(base_url or JINA, api_key=key).endpoint("models"))
