"""Draws that are the same on every machine and in every run, whatever else there is to draw from."""

from __future__ import annotations

import hashlib


def place(key: str) -> float:
    """Where the hash of `key` falls, evenly from 0 to 1; sorting by it draws a sample that grows by adding."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) / 2**64
