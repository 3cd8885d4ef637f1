"""Top-ups: gas money from one own wallet to another, as the policy set permits."""
