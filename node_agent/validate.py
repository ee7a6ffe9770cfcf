"""Is this node ready to take part? One check after the other, each with what to do about it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from blake3 import blake3

from contracts.errors import ChainError, KeyFileError
from contracts.keys import Signer, load_key
from node_agent import lease
from node_agent.addresses import Concern, leads_here, others_reached
from node_agent.config import Settings
from node_agent.errors import (
    AgentStateError,
    ConfigError,
    IdentityError,
    MarketplaceError,
    NodeError,
)
from node_agent.identity.choose import source_for

if TYPE_CHECKING:
    from contracts import Contracts
    from contracts.consortium import Registration
    from contracts.messages import Terms

T = TypeVar("T")

COMMON = 2  # metering on an agreed validation set


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. A warning does not keep the node from taking part."""

    check: str
    level: str  # ok, warning, failed, skipped
    text: str
    hint: str = ""


@dataclass(slots=True)
class _Found:
    """What earlier checks leave for later ones; None when they failed."""

    signer: Signer | None = None
    contracts: Contracts | None = None
    terms: Terms | None = None


_Check = Callable[[Settings, _Found], Awaitable[str]]


class _Skipped(Exception):
    """A check that makes no sense after an earlier one failed."""


async def validate(settings: Settings) -> AsyncIterator[Finding]:
    """Makes all checks in turn, changing nothing, and yields what each finds."""
    found = _Found()
    try:
        for name, check in _CHECKS:
            try:
                yield Finding(name, "ok", await check(settings, found))
            except _Skipped as error:
                yield Finding(name, "skipped", str(error))
            except Concern as error:
                yield Finding(name, "warning", str(error), error.hint)
            except (NodeError, ChainError) as error:
                yield Finding(name, "failed", str(error), error.hint)
    finally:
        if found.contracts is not None:
            await found.contracts.chain.close()


async def _folder(settings: Settings, found: _Found) -> str:
    try:
        mode = settings.folder.stat().st_mode
    except OSError as error:
        raise AgentStateError(f"{settings.folder}: {error.strerror}") from error
    if mode & 0o077:
        raise AgentStateError(
            f"others can look into {settings.folder}", hint=f"chmod 700 {settings.folder}"
        )
    return str(settings.folder)


async def _node_key(settings: Settings, found: _Found) -> str:
    try:
        found.signer = load_key(settings.node_key)
    except KeyFileError as error:
        raise IdentityError(str(error), hint=error.hint) from error
    return found.signer.address


async def _svid(settings: Settings, found: _Found) -> str:
    async with source_for(settings, _no_renewal) as source:
        svid = source.current()
    hours = (svid.not_after_s - time.time()) / 3600
    return f"{svid.spiffe_id}, valid for {hours:.1f} h, from {settings.identity.source}"


async def _no_renewal(csr_pem: bytes) -> tuple[bytes, bytes]:
    raise MarketplaceError("a check renews nothing")


async def _lease(settings: Settings, found: _Found) -> str:
    right = lease.usable(settings.lease, settings.lease_key, settings.spiffe_id, time.time())
    return f"valid for {(right.expires_s - time.time()) / 3600:.1f} h"


async def _chain(settings: Settings, found: _Found) -> str:
    from contracts import Contracts  # web3: seconds, and only needed here
    from contracts.chain import Chain
    from contracts.deployment import Deployment

    deployment = Deployment.load(settings.deployment)
    chain = await Chain.connect(settings.rpc_url)
    try:
        contracts = Contracts.at(chain, deployment)
        await contracts.check()
    except ChainError:
        await chain.close()
        raise
    found.contracts = contracts
    return f"chain {chain.chain_id}, block {await chain.block_number()}, contracts in place"


async def _agreement(settings: Settings, found: _Found) -> str:
    contracts = _needed(found.contracts, "the chain")
    agreement = bytes.fromhex(settings.agreement[2:])
    if not await contracts.consortium.in_force(agreement):
        raise ConfigError(
            f"the agreement {settings.agreement} is not in force",
            hint="have all parties signed, and is it not over?",
        )
    return settings.agreement


async def _enrollment(settings: Settings, found: _Found) -> str:
    contracts = _needed(found.contracts, "the chain")
    signer = _needed(found.signer, "the node key")
    listed = await contracts.consortium.registrations(bytes.fromhex(settings.agreement[2:]))
    mine = [each for each in listed if each.spiffe_id == settings.spiffe_id and not each.until]
    if not mine:
        raise ConfigError(
            f"{settings.spiffe_id} is not enrolled on chain",
            hint="its owner has to approve the enrollment on the marketplace's page",
        )
    return _fitting(settings, signer, mine[-1])


def _fitting(settings: Settings, signer: Signer, mine: Registration) -> str:
    if mine.key != signer.address:
        raise IdentityError(
            f"the chain knows this node by the key {mine.key}, {settings.node_key} is another one",
            hint="was the node enrolled from another folder?",
        )
    if mine.url != settings.url:
        raise ConfigError(
            f"peers are told {_address(mine.url)}, and the settings say {_address(settings.url)}",
            hint="an address is changed by a new enrollment; where a URL is enrolled and nothing "
            "is let in, set inbound = false",
        )
    return f"registration {mine.number}"


def _address(url: str) -> str:
    return url or "that this node accepts no connections"


async def _run(settings: Settings, found: _Found) -> str:
    contracts = _needed(found.contracts, "the chain")
    if not settings.run:
        raise ConfigError("no run is named", hint='set run = "…" in agent.toml, or SWARM_NODE_RUN')
    agreement = bytes.fromhex(settings.agreement[2:])
    if settings.run.startswith("0x") and len(settings.run) == 66:
        run_id = bytes.fromhex(settings.run[2:])
    else:
        run_id = await contracts.training.run_named(agreement, settings.run)
    run = await contracts.training.run(run_id) if any(run_id) else None
    if run is None or run.agreement != agreement:
        raise ConfigError(
            f"there is no run {settings.run} under this agreement",
            hint="is its name right, and was it started?",
        )
    found.terms = await contracts.training.terms(run_id)
    return f"{run.name}, round {run.round}"


async def _initial_parameters(settings: Settings, found: _Found) -> str:
    terms = _needed(found.terms, "the run")
    return _hash_of(settings.initial_parameters, "initial_parameters", terms.initial_root)


async def _validation_set(settings: Settings, found: _Found) -> str:
    terms = _needed(found.terms, "the run")
    if terms.metering != COMMON:
        return "the run does without"
    return _hash_of(settings.validation, "validation", terms.validation_root)


def _hash_of(path: Path | None, name: str, expected: bytes) -> str:
    if path is None:
        raise ConfigError(
            f"the run needs a file, but {name} is not set",
            hint=f"get the file {expected.hex()} and name it in agent.toml",
        )
    hasher = blake3(max_threads=blake3.AUTO)
    try:
        hasher.update_mmap(path)
    except OSError as error:
        raise ConfigError(f"cannot read {name}: {error}") from error
    if hasher.digest() != expected:
        raise ConfigError(
            f"{path} is {hasher.hexdigest()}, but the terms name {expected.hex()}",
            hint="every node needs the very file that was agreed upon",
        )
    return f"{path.name} is the agreed one"


async def _reachable(settings: Settings, found: _Found) -> str:
    if settings.reachable:
        return await leads_here(settings)
    contracts = _needed(found.contracts, "the chain")
    agreement = bytes.fromhex(settings.agreement[2:])
    return await others_reached(settings, await contracts.consortium.registrations(agreement))


def _needed(value: T | None, what: str) -> T:
    if value is None:
        raise _Skipped(f"needs {what}")
    return value


_CHECKS: tuple[tuple[str, _Check], ...] = (
    ("folder", _folder),
    ("node key", _node_key),
    ("SVID", _svid),
    ("lease", _lease),
    ("chain", _chain),
    ("agreement", _agreement),
    ("enrollment", _enrollment),
    ("run", _run),
    ("initial parameters", _initial_parameters),
    ("validation set", _validation_set),
    ("reachability", _reachable),
)
