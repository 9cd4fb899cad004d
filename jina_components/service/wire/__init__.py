"""Wire names and types of the library, a module a product: the only place that knows both."""
