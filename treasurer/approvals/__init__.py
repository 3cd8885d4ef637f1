"""Who agreed to a payment: requests, votes and the links that lead to them."""
