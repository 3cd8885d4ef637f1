"""Private PostgreSQL, Valkey and development chain for the one-command start. Never for production."""
