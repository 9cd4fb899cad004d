"""How a model is fitted to triplets: the only home of torch and sentence-transformers outside the recipes."""
