"""The main content of an HTML page, chosen and cleaned."""

from jina_components.reader.content.choosing import main_content, whole_page

__all__ = ["main_content", "whole_page"]
