"""What Alembic runs: the migrations, in the connection and transaction of whoever upgrades."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()
