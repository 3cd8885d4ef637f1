"""Incidents: what no rule may decide and people have to look at."""
