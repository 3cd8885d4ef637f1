"""What the treasury has and how long it lasts."""
