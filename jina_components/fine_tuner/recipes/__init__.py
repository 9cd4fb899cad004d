"""Recipes: how the bundled models were made, one module a model and the parts it is made with."""
