"""What models are told: one Markdown file a prompt, rendered strictly, versioned by its hash."""
