"""How Alembic reaches the database: over the connection that `Database` opened, in its transaction."""

from __future__ import annotations

from alembic import context

from jina_components.service.database.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, transactional_ddl=True)
context.run_migrations()
