"""FineTuner: so far the recipes of the bundled models."""
