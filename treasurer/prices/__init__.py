"""What an asset is worth, with its source and age."""
