"""What people and programs read about the treasury as a whole. Read-only."""
