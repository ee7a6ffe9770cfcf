"""Settings of the marketplace: `settings.toml` in its folder, overridden by SWARM_MARKET_*.

A list in the environment is JSON: SWARM_MARKET_ADMIN_WALLETS='["0x…"]'.
"""

from __future__ import annotations

import ipaddress
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from marketplace.errors import SettingsError

SETTINGS_FILE = "settings.toml"
RELAYER_KEY_FILE = "relayer.key"


class Settings(BaseSettings):
    """All that an operator may decide. Files that are not named are looked for in `folder`."""

    model_config = SettingsConfigDict(env_prefix="SWARM_MARKET_", extra="forbid")

    folder: Path
    production: bool = Field(
        default=False, description="refuse the built-in CA, the embedded chain and plain HTTP"
    )
    allow_builtin_ca: bool = Field(
        default=False, description="in production: use the built-in CA nevertheless"
    )
    allow_plain_http: bool = Field(
        default=False, description="in production: a proxy in front of the web listener does TLS"
    )

    database_url: str = Field(default="", description="default: SQLite in the folder")
    deployment_file: Path = Path("deployment.json")
    rpc_url: str = "http://127.0.0.1:8545"
    node_rpc_url: str = Field(default="", description="the URL that nodes are told; default: ours")

    web_host: str = "127.0.0.1"
    web_port: int = Field(default=8080, ge=1, le=65535)
    web_url: str = Field(default="", description="as people reach it; default: from host and port")
    web_tls_certificate: Path | None = None
    web_tls_key: Path | None = None

    agent_host: str = "127.0.0.1"
    agent_port: int = Field(default=8443, ge=1, le=65535)
    agent_url: str = Field(default="", description="as nodes reach it; default: from host and port")
    agent_names: list[str] = Field(
        default_factory=list, description="further DNS names and IP addresses of the agent listener"
    )

    trust_domain: str = Field(
        default="swarm.example", pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$"
    )
    svid_hours: int = Field(default=72, ge=1, le=720)
    lease_hours: int = Field(default=72, ge=1, le=8784)
    lease_grace_hours: int = Field(
        default=24, ge=0, le=720, description="a lease that is over still serves offline so long"
    )
    lease_file_days: int = Field(
        default=30, ge=1, le=366, description="a lease that is exported may last so long"
    )
    lease_seats: int = Field(
        default=64, ge=0, description="nodes of an organization, unless an admin says otherwise"
    )
    token_hours: int = Field(default=24, ge=1, le=720)
    session_hours: int = Field(default=8, ge=1, le=168)

    admin_wallets: list[str] = Field(
        default_factory=list, description="may draft and see everything"
    )
    admission: Literal["admin", "open"] = Field(
        default="admin",
        description="whose agreements are posted: those that admins draft, begin or admit; or all",
    )
    templates: Path = Field(
        default=Path("templates"), description="folder of agreement templates of your own"
    )
    invitation_hours: int = Field(default=168, ge=1, le=2160)
    auditor_wallets: list[str] = Field(
        default_factory=list, description="may read everything, and change nothing"
    )
    anchor_hours: int = Field(
        default=24, ge=0, le=8784, description="between two anchors of the trail; 0: none"
    )
    requests_per_minute: int = Field(
        default=1_200, ge=1, description="of one caller; ten times as many from one address"
    )
    sign_ins_per_minute: int = Field(
        default=300, ge=1, description="steps of signing in (two each), from one address"
    )
    proxy_addresses: list[str] = Field(
        default_factory=list, description="proxies whose X-Forwarded-For is believed"
    )
    public_dashboard: bool = Field(
        default=False, description="anyone who can reach the pages may read them without signing in"
    )
    first_block: int = Field(default=0, ge=0, description="the block to read events from")
    index_interval_ms: int = Field(default=500, ge=50, description="between two looks at the chain")
    post_interval_ms: int = Field(default=200, ge=20, description="between two looks at the outbox")

    announce_budget_percent: int = Field(
        default=10, ge=0, le=100, description="of a pool: say that it runs low when this is left"
    )
    announce_rounds: int = Field(default=3, ge=0, description="say that a run ends: rounds left")
    announce_hours: int = Field(
        default=72, ge=0, le=8784, description="say that a run ends: hours of its agreement left"
    )
    webhooks_may_reach_private_networks: bool = Field(
        default=False,
        description="webhooks may go to addresses inside this network, and over plain HTTP: "
        "whoever may sign in can then make this machine send requests there",
    )

    reference_currency: str = Field(
        default="", description="code of a currency to show beside amounts; nothing is paid by it"
    )
    reference_price: str = Field(default="", description="of one token in it: a decimal number")
    reference_label: str = Field(
        default="", description="where that price is from, and as of when; printed with it"
    )

    def path(self, name: Path | str) -> Path:
        """A path, relative to the folder unless it is absolute."""
        return self.folder / name

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.path('market.sqlite3').resolve()}"

    @property
    def public_web_url(self) -> str:
        scheme = "https" if self.web_tls_certificate else "http"
        return (self.web_url or f"{scheme}://{_host(self.web_host)}:{self.web_port}").rstrip("/")

    @property
    def public_agent_url(self) -> str:
        return (self.agent_url or f"https://{_host(self.agent_host)}:{self.agent_port}").rstrip("/")

    def check(self) -> None:
        """Refuses settings that contradict themselves or are not fit for production.

        Raises:
            SettingsError: names the setting and what to do.
        """
        if (self.web_tls_certificate is None) != (self.web_tls_key is None):
            raise SettingsError(
                "only one of web_tls_certificate and web_tls_key is set", hint="set both or neither"
            )
        if not self.production:
            return
        if not self.allow_builtin_ca:
            raise SettingsError(
                "production settings refuse the built-in certificate authority: its key lies in a "
                "file of this machine",
                hint="set allow_builtin_ca = true to accept that",
            )
        if self.web_tls_certificate is None and not self.allow_plain_http:
            raise SettingsError(
                "production settings refuse plain HTTP",
                hint="set web_tls_certificate and web_tls_key, or, behind a proxy that does TLS, "
                "allow_plain_http = true",
            )
        if not self.public_web_url.startswith("https://"):
            raise SettingsError(
                f"production settings refuse {self.public_web_url} as web_url: wallets sign in to "
                "what it names",
                hint='set web_url = "https://…", as people reach it through the proxy',
            )


def load(folder: Path, **overrides: Any) -> Settings:
    """Reads the settings of a marketplace folder.

    Args:
        folder: where `swarm-market init` put `settings.toml`.
        overrides: what the command line says; wins over the environment and the file.

    Raises:
        SettingsError: no such folder, or a setting of the wrong kind.
    """
    file = folder / SETTINGS_FILE
    if not file.is_file():
        raise SettingsError(f"{folder} holds no marketplace", hint=f"swarm-market init {folder}")
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        written = tomllib.loads(file.read_text(encoding="utf-8"))
        from_environment = Settings(folder=folder).model_dump(exclude_unset=True)
        settings = Settings(**{**written, **from_environment, **given, "folder": folder})
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file} or SWARM_MARKET_*: {error}") from error
    settings.check()
    return settings


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host(host: str) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    return f"[{shown}]" if ":" in shown else shown
