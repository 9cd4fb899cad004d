"""Architectures written out natively: which tensors they have, and what they compute."""
