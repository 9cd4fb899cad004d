"""From a name to a model that runs: files, layout, tokenizer, backend, owner thread."""

from jina_components.models.loading.embedding import load_embedding_model
from jina_components.models.loading.options import LoadOptions
from jina_components.models.loading.scoring import load_entailment_model, load_scorer

__all__ = ["LoadOptions", "load_embedding_model", "load_entailment_model", "load_scorer"]
