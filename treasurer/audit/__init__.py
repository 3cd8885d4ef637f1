"""What happened, by whom, in an order that nobody can rewrite."""
