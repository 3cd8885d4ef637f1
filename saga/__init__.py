"""Executes approved payments on chain exactly once. Knows no agent, no tool, no model library."""
