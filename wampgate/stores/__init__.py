"""Where tokens and memberships live: memory, SQLite and Postgres."""
