"""The REST door: reads requests, asks the services, answers. Must never decide about money."""
