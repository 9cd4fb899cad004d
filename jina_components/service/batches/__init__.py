"""Durable batch jobs: thousands of inputs that are embedded when there is time, and fetched when they are done."""
