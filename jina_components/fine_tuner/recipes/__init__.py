"""Recipes: how the bundled models were made, a module a step.

    recipes=jina_components.fine_tuner.recipes; options="--teacher TEACHER --data DATA"  # TEACHER: all-MiniLM-L6-v2
    python -m $recipes.distill_static $options --to static-minilm-v1
    python -m $recipes.distill_encoder $options --work work/encoder --to work/encoder/model
    python -m $recipes.bundle work/encoder/model --to small-embedding-v1
    python -m $recipes.train_cross_encoder $options --encoder work/encoder/model --work work/pairs --to work/pairs/model
    python -m $recipes.bundle work/pairs/model --to small-cross-encoder-v1
    python -m $recipes.calibrate_blend --groups work/pairs/groups.jsonl  # prints the weights of small-reranker-v1

Each says with `--help` what it takes, notes what it trains on, and goes on where it was interrupted. What `DATA` holds
is in `benchmarks/README.md`. The models' cards say what was trained on, and with which steps and rates.
"""
