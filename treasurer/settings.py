"""Owns what an operator may set. The only file of the service that reads the environment.

Must never hold a default secret: what is missing is made by `treasurer init` or `treasurer up`, in
files that only the owner reads.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from treasurer.kernel.errors import InvalidInput

ENV_FILE = ".env"
_ADDRESS = re.compile(r"https?://[^\s,]+")
_FORMS = {
    "log_level": (re.compile("DEBUG|INFO|WARNING|ERROR|CRITICAL", re.IGNORECASE), "INFO"),
    "public_url": (_ADDRESS, "https://treasurer.example.com"),
    "database_url": (
        re.compile(r"postgres(ql)?(\+\w+)?://.+"),
        "postgresql://owner:password@db.example.com/treasurer",
    ),
    "redis_url": (re.compile(r"(rediss?|unix)://.+"), "redis://cache.example.com:6379/0"),
}
"""How a setting is written, and an example of it."""


class Settings(BaseSettings):
    """Read from the environment and `.env`. `.env.example` names and explains them all."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True
    )

    treasurer_home: Path = Path(".treasurer")
    treasurer_host: str = "127.0.0.1"
    treasurer_port: int = Field(default=8000, ge=0, le=65535)
    public_url: str | None = None
    log_level: str = "INFO"

    database_url: SecretStr | None = None
    database_app_password: SecretStr | None = None
    database_system_password: SecretStr | None = None
    redis_url: SecretStr | None = None
    rpc_url: SecretStr | None = None
    signer_socket: Path | None = None
    smtp_url: SecretStr | None = None
    mail_from: str = "Autonomous Treasurer <treasurer@localhost>"
    imap_url: SecretStr | None = None
    imap_user: str | None = None
    """E-mail address of the user who submits what comes by mail: a service user, nobody who votes."""
    imap_poll_s: int = Field(default=30, ge=1)
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    openai_model: str = "gpt-5-mini"

    metrics_token: SecretStr | None = None
    requests_per_minute: int = Field(default=100, gt=0)
    lease_s: int = Field(default=15, ge=1)
    """How long a worker may hold a transfer before another goes on with it."""
    reconcile_at_hour_utc: int = Field(default=2, ge=0, le=23)
    """When each night the worker holds books and chain against the money invariants."""
    order_lifetime_s: int = Field(default=7 * 24 * 3600, gt=0)
    gas_limit: int = Field(default=120_000, ge=21_000)
    payment_fee_cap_gwei: int | None = Field(default=None, gt=0)
    """Instead of the network profile's; so is the next."""
    cancel_fee_cap_gwei: int | None = Field(default=None, gt=0)

    treasurer_failpoint: str = ""
    """Fault tests only: the worker kills itself at this point; see saga/failpoints.py."""

    @field_validator(*_FORMS)
    @classmethod
    def _written_so(
        cls, value: SecretStr | str | None, info: ValidationInfo
    ) -> SecretStr | str | None:
        form, example = _FORMS[str(info.field_name)]
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text is not None and not form.fullmatch(text):
            raise PydanticCustomError("form", "write it as {example}", {"example": example})
        return value

    @property
    def rpc_urls(self) -> tuple[str, ...]:
        """The providers of RPC_URL, in the operator's order; none if it is not set. Raises InvalidInput."""
        if self.rpc_url is None:
            return ()
        urls = tuple(part.strip() for part in self.rpc_url.get_secret_value().split(","))
        if not all(_ADDRESS.fullmatch(url) for url in urls):
            raise InvalidInput(
                "RPC_URL_SYNTAX", "RPC_URL: write http(s) addresses, separated by commas"
            )
        if len(set(urls)) < len(urls):
            raise InvalidInput(
                "RPC_URL_TWICE", "RPC_URL names an address twice; one provider is no second voice"
            )
        return urls

    @property
    def home(self) -> "HomeFiles":
        return HomeFiles(self.treasurer_home.absolute())

    @property
    def url(self) -> str:
        """Where people reach the dashboard, without a slash at its end."""
        return (self.public_url or f"http://{self.treasurer_host}:{self.treasurer_port}").rstrip(
            "/"
        )


def outer_environment(*, without: Collection[str] = ()) -> dict[str, str]:
    """The variables that stand outside and in `.env`, less the names in `without`."""
    stands = {**dotenv_values(ENV_FILE), **os.environ}
    return {
        name: value for name, value in stands.items() if value is not None and name not in without
    }


def process_environment(settings: Settings) -> dict[str, str]:
    """All of `settings` as variables, so that a child reads what its parent decided."""
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    return {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
        if value is not None and value != ""
    }


class HomeFiles:
    """What the installation keeps in its folder besides the embedded services' data."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def token_key(self) -> Path:
        """PEM of the key that signs access tokens."""
        return self.secrets / "token-key.pem"

    @property
    def totp_key(self) -> Path:
        """32 bytes that seal the secrets of people's authenticators."""
        return self.secrets / "totp-key.bin"

    @property
    def database_passwords(self) -> Path:
        """JSON with the passwords of the app and the system role."""
        return self.secrets / "database-roles.json"

    @property
    def network(self) -> Path:
        """The network profile with every token's address pinned."""
        return self.root / "network.yaml"

    @property
    def organization(self) -> Path:
        """JSON that names the organization which this installation was set up for."""
        return self.root / "organization.json"

    @property
    def running(self) -> Path:
        """JSON with the addresses of the parts that run now; no passwords."""
        return self.root / "running.json"

    @property
    def signer(self) -> Path:
        return self.root / "signer"

    @property
    def mails(self) -> Path:
        """Where mails go as files while no mail server is set."""
        return self.root / "mails"
