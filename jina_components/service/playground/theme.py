"""How the playground looks: a calm theme, in light and dark, with fonts that every machine has."""

from __future__ import annotations

from importlib.resources import files

import gradio as gr

CSS = (files(__package__) / "results.css").read_text("utf-8")
HEAD = ""


def theme() -> gr.themes.Base:
    """The theme."""
    return gr.themes.Base(
        primary_hue="teal",
        neutral_hue="slate",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
