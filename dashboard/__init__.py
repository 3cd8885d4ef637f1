"""The CFO's pages, rendered on the server. Must never decide: the services behind the API do."""
