"""One router a noun. Each route declares what it asks of its visitor."""
