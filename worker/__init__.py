"""The process that runs jobs and the pump."""
