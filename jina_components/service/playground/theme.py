"""How the playground looks: a calm theme, in light and dark, with fonts that every machine has."""

from __future__ import annotations

from importlib.resources import files

import gradio as gr

_FOLDER = files(__package__)
CSS = (_FOLDER / "playground.css").read_text("utf-8")
SCRIPT = (_FOLDER / "playground.js").read_text("utf-8")


def theme() -> gr.themes.Base:
    """The theme."""
    return gr.themes.Base(
        primary_hue="teal",
        secondary_hue="teal",
        neutral_hue="slate",
        text_size="md",
        radius_size="md",
        font=["system-ui", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "DejaVu Sans Mono", "monospace"],
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        # Contrasts of 4.5 at least.
        color_accent="*primary_700",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_300",
        block_label_text_size="*text_sm",
        block_title_text_weight="600",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
    )
