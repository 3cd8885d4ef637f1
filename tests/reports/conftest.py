"""Fixtures of the reports: the same organization that the pages show, without a browser."""

from tests.dashboard.conftest import dashboard, organization, valkey, valkey_url

__all__ = ["dashboard", "organization", "valkey", "valkey_url"]
