"""The tabs, a module a product."""
