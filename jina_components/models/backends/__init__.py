"""How a model runs: one class a file, imported only when it is chosen."""
