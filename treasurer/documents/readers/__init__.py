"""One file a document format, and the registry that lists them."""
