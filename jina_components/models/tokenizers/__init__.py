"""Tokenizers that count and locate the tokens of texts of any length."""

from jina_components.models.tokenizers.tokenizer import BUNDLED, Tokenizer, resolve_tokenizer

__all__ = ["BUNDLED", "Tokenizer", "resolve_tokenizer"]
