"""A text into its vector, in Haystack."""

from typing import Any, ClassVar

from haystack import component
from haystack.utils import Secret

from haystack_jina_components.component import JINA_API_KEY
from haystack_jina_components.embedding import JinaEmbedderComponent, usage_of
from jina_components.protocols import SupportsEmbed
from jina_components.types import Embeddings


@component
class JinaTextEmbedder(JinaEmbedderComponent):
    """Embeds a text, such as a query; the counterpart of `JinaDocumentEmbedder`.

    Takes the place of jina-haystack's class of this name. With a key or a `base_url` a server embeds, else the model
    runs here.

    Args:
        api_key: Key of the server; by default `JINA_API_KEY` of the environment, if it is set.
        model: The model; None for `jina-embeddings-v3` on Jina's hosts, else the bundled one.
        prefix: Put before the text.
        suffix: Put after it.
        task: What the text is for, such as `retrieval.query`. None for what the model does without being told; of an
            `embedder`, for what its `embed_query` does.
        dimensions: Keep this many leading components of the vector; None for all.
        late_chunking: Taken for its name in jina-haystack: one text alone is embedded the same with and without.
        base_url: The root of a server of `jina-components serve`, or the whole URL of an embeddings API; None, where
            there is a key, for Jina's.
        embedder: A component of ours, or another with its methods, in place of a model's name.
        timeout: Seconds for a request.
        max_retries: Further attempts of a request that failed for a reason that may pass.

    Raises:
        ConfigError: an embedder and settings of a server, or a setting that makes no sense.

    Example:
        >>> JinaTextEmbedder(task="retrieval.query").run("I love pizza!")["meta"]["model"]
        'small-embedding-v1'
    """

    verb: ClassVar[str] = "embed_query"

    def __init__(
        self,
        api_key: Secret | None = JINA_API_KEY,
        model: str | None = None,
        prefix: str = "",
        suffix: str = "",
        task: str | None = None,
        dimensions: int | None = None,
        late_chunking: bool | None = None,
        *,
        base_url: str | None = None,
        embedder: SupportsEmbed | None = None,
        timeout: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        self.api_key = api_key
        self.model = model
        self.prefix = prefix
        self.suffix = suffix
        self.task = task
        self.dimensions = dimensions
        self.late_chunking = late_chunking
        self.base_url = base_url
        self.embedder = embedder
        self.timeout = timeout
        self.max_retries = max_retries
        self._open()

    @component.output_types(embedding=list[float], meta=dict[str, Any])
    def run(self, text: str) -> dict[str, Any]:
        """Embed a text.

        Args:
            text: The text.

        Returns:
            `embedding`, and `meta` with the model and the usage.

        Raises:
            TypeError: no str.
            InputError: a blank text, or one over the model's context.
        """
        return self._result(self._embed([self._whole(text)]))

    @component.output_types(embedding=list[float], meta=dict[str, Any])
    async def run_async(self, text: str) -> dict[str, Any]:
        """`run` without blocking the event loop."""
        return self._result(await self._aembed([self._whole(text)]))

    def _whole(self, text: str) -> str:
        if not isinstance(text, str):
            raise TypeError(
                f"JinaTextEmbedder takes a str, got {type(text).__name__}; documents are for JinaDocumentEmbedder."
            )
        return f"{self.prefix}{text}{self.suffix}"

    def _result(self, found: Embeddings) -> dict[str, Any]:
        return {"embedding": found.vectors[0].tolist(), "meta": usage_of(self.model_name, found)}
