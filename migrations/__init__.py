"""Alembic's environment for the marketplace's database: see README.md."""
