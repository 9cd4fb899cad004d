"""Runners that measure quality and speed, against peers in the same run."""
