"""Who asks: people, their sign-ins, and the keys that make a request safe to send twice."""
