"""What arrives in own wallets, and what leaves them without us."""
