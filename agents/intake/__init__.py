"""The intake run: from a received document to a proposal, a review or a rejection."""
