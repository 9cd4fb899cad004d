"""What lasts of a service, in SQLite or PostgreSQL: keys, their ledger, and batches."""

from jina_components.service.database.engine import Database

__all__ = ["Database"]
