"""Quality of embedders, rerankers and entailment models on public sets: the sets, the metrics and the measuring.

Recipes measure what they train with it, and `benchmarks/quality` the models that ship, beside their peers.
"""
