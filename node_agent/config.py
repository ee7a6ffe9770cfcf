"""Settings of the agent: `agent.toml`, overridden by the environment (`SWARM_NODE_…`).

Relative paths count from the folder that holds `agent.toml`. A key inside a table is reached in the
environment with two underscores: `SWARM_NODE_IDENTITY__SOURCE=files`.
"""

from __future__ import annotations

import difflib
import logging
import os
import tomllib
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from yarl import URL

from node_agent.errors import ConfigError
from node_agent.health import CONFIG_NAME, CONFIG_VARIABLE, ENV_PREFIX, config_file

log = logging.getLogger(__name__)


class Source(StrEnum):
    """Where the node's SVIDs come from."""

    BUILTIN = "builtin"  # the marketplace's own CA
    FILES = "files"  # PEM files that somebody else replaces
    WORKLOAD = "workload"  # a SPIFFE Workload API


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def https_url(url: str) -> str:
    """The one way to write https://host:port. Raises ValueError."""
    parsed = URL(url)
    if parsed.scheme != "https" or not parsed.host or parsed.path not in ("", "/"):
        raise ValueError("must look like https://host:port")
    return str(parsed.origin())


def node_url(url: str) -> str:
    """Where peers reach a node; nothing where they cannot. Raises ValueError."""
    return https_url(url) if url else ""


NodeUrl = Annotated[str, AfterValidator(node_url)]
HttpsUrl = Annotated[str, AfterValidator(https_url)]
SpiffeId = Annotated[str, Field(pattern=r"^spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)+$")]
Hex32 = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]
Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class IdentitySettings(BaseModel):
    """The table [identity]."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Source = Source.BUILTIN
    chain: Path | None = None  # files: leaf first
    key: Path | None = None  # files
    bundle: Path | None = None  # files: authorities of the node's own trust domain
    federated: dict[str, Path] = Field(default_factory=dict)  # files: other trust domains' bundles
    socket: Path | None = None  # workload

    @model_validator(mode="after")
    def _complete(self) -> Self:
        wanted = {
            Source.BUILTIN: (),
            Source.FILES: ("chain", "key", "bundle"),
            Source.WORKLOAD: ("socket",),
        }[self.source]
        missing = [f"identity.{name}" for name in wanted if getattr(self, name) is None]
        if missing:
            raise ValueError(f'source = "{self.source}" needs {", ".join(missing)} too')
        return self


class Settings(BaseSettings):
    """Everything that an operator decides. `samples/full.toml` explains each."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    folder: Path
    production: bool = False

    run: str = ""
    agreement: Hex32
    spiffe_id: SpiffeId
    node_key: Path = Path("node.key")

    rpc_url: str
    deployment: Path = Path("deployment.json")
    marketplace_url: HttpsUrl | None = None

    listen_host: str = "0.0.0.0"
    listen_port: Port = 7443
    url: NodeUrl
    inbound: bool = True

    identity: IdentitySettings = IdentitySettings()

    initial_parameters: Path | None = None
    validation: Path | None = None
    socket: Path = Path("agent.sock")

    lease: Path = Path("lease")
    lease_key: Path = Path("lease.pub")

    archive_gb: Annotated[float, Field(ge=0)] = 20.0

    message_timeout_s: Seconds = 5.0
    transfer_timeout_s: Seconds = 600.0
    evaluate_timeout_s: Seconds = 600.0
    ready_timeout_s: Seconds = 60.0
    ready_organizations: Annotated[int, Field(ge=0, le=64)] = 0

    metrics_listen: str = ""  # host:port for Prometheus; empty: nowhere
    quota_gb: Annotated[float, Field(ge=0)] = 0.0  # of parameter files in `folder`; 0: no limit

    log_format: LogFormat = LogFormat.TEXT
    log_level: LogLevel = LogLevel.INFO

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings  # what is handed over is the file's content

    @property
    def reachable(self) -> bool:
        """Do peers connect to this node? Otherwise it opens all connections itself."""
        return self.inbound and bool(self.url)

    @model_validator(mode="after")
    def _fit_for_production(self) -> Self:
        if self.production and self.identity.source is Source.BUILTIN:
            raise ValueError(
                "production = true refuses the marketplace's built-in CA: set identity.source to "
                '"workload" (SPIRE) or "files"'
            )
        return self


def load(config: Path | None = None) -> Settings:
    """Reads the settings; all paths in them are absolute.

    Args:
        config: `agent.toml` or the folder that holds it; None: $SWARM_NODE_CONFIG, else here.

    Raises:
        ConfigError: no such file, an unknown key, a value that makes no sense.
    """
    path = config_file(config)
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"no settings at {path}",
            hint=f"run `swarm-node enroll`, or name {CONFIG_NAME} with --config",
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    _warn_of_unknown_variables()
    try:
        settings = Settings(**{"folder": path.parent, **written})
    except ValidationError as error:
        raise _explained(error, path) from error
    return _absolute(settings, path.parent)


def _absolute(settings: Settings, base: Path) -> Settings:
    folder = (base / settings.folder).resolve()

    def placed(value: Any) -> Any:
        if isinstance(value, Path):
            return (folder / value).absolute()
        if isinstance(value, dict):
            return {name: placed(each) for name, each in value.items()}
        if isinstance(value, IdentitySettings):
            changed = {name: placed(getattr(value, name)) for name in IdentitySettings.model_fields}
            return value.model_copy(update=changed)
        return value

    changed = {name: placed(getattr(settings, name)) for name in Settings.model_fields}
    return settings.model_copy(update={**changed, "folder": folder})


def _explained(error: ValidationError, path: Path) -> ConfigError:
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    name = ".".join(where)
    match first["type"]:
        case "extra_forbidden":
            known = IdentitySettings.model_fields if len(where) > 1 else Settings.model_fields
            return ConfigError(
                f"{path}: unknown setting {name}", hint=_did_you_mean(where[-1], known)
            )
        case "missing":
            variable = ENV_PREFIX + "__".join(where).upper()
            return ConfigError(
                f"{path}: {name} is missing",
                hint=f"set it there, or ${variable} in the environment",
            )
    text = first["msg"].removeprefix("Value error, ")
    return ConfigError(f"{path}: {name}: {text}" if name else f"{path}: {text}")


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"


def _warn_of_unknown_variables() -> None:
    # Only a warning: orchestrators add variables of their own that begin with a service's name.
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields} | {CONFIG_VARIABLE}
    for name in os.environ:
        if name.startswith(ENV_PREFIX) and name.split("__")[0] not in known:
            log.warning("%s is not a setting: %s", name, _did_you_mean(name, known))
