"""What the recipes train on: sources, splits, texts, groups and pairs."""
