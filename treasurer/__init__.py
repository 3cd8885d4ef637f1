"""What the decision pipeline stands on: nouns, documents, chain, prices, database."""
