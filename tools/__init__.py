"""The doors of agents: typed, tenant-bound, reading or proposing, never executing."""
