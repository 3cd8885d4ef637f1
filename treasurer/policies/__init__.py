"""The life of policy sets: drafts, the active one, history."""
