"""How the recipes train: batches, the loop, folders."""
