"""Searching the sources, and reading pages."""
