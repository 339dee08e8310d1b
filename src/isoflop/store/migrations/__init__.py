"""Alembic migrations of the store: each brings a database from one version of the tables on."""
