"""Texts into chunks with exact offsets."""

from jina_components.segmenter.segmenter import Segmenter

__all__ = ["Segmenter"]
