"""What `python -m benchmarks` runs: a module a component, which asks the runners of `quality` and `speed`."""
