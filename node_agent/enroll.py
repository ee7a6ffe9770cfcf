"""First contact: a token becomes keys, an SVID, a lease, and an enrollment for its owner to sign.

What is sent is written down first: the marketplace answers a token's first use once, and repeats
the answer only to the same key and the same certificate request. So a run that was interrupted
anywhere is continued by running it again, and so an expired SVID is replaced, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from contracts.addresses import Deployment
from contracts.errors import MessageError
from contracts.files import replace_file
from contracts.keys import Signer, load_key, new_key, save_key
from contracts.messages import (
    Agreement,
    Domain,
    Enrollment,
    from_json,
    sign,
    struct_hash,
    to_json,
)
from node_agent import lease as leases
from node_agent.config import node_url
from node_agent.enrollment_token import Token, decode_token
from node_agent.errors import AgentStateError, ConfigError, IdentityError, MarketplaceError
from node_agent.health import CONFIG_NAME
from node_agent.identity.builtin import certificate_request, private_pem, read_stored, store
from node_agent.identity.svid import Svid, read_bundle
from node_agent.marketplace import MarketplaceClient, fetch_authority, text

REQUEST_FILE = "enrollment.json"
NODE_KEY_FILE = "node.key"
AGREEMENT_FILE = "agreement.json"
DEPLOYMENT_FILE = "deployment.json"
LEASE_FILE = "lease"
LEASE_KEY_FILE = "lease.pub"
_ADDRESSES = [field.name for field in fields(Deployment)]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, kept until it is granted. The SVID's first key is in it: mode 0600."""

    token: str
    url: str
    may_lead: bool
    listen_host: str
    listen_port: int
    csr_pem: str
    tls_key_pem: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What came of it."""

    spiffe_id: str
    key: str
    enrollment: str
    state: str
    folder: str
    url: str  # empty: the node accepts no inbound connections


async def enroll(
    folder: Path,
    token: str | None,
    url: str | None,
    *,
    listen_host: str = "0.0.0.0",
    listen_port: int = 7443,
    may_lead: bool = True,
) -> Enrolled:
    """Enrolls the node that lives in `folder`, or continues an enrollment that was begun there.

    Args:
        folder: made if it is missing, mode 0700.
        token: as the marketplace issued it; None: the one that was used here before.
        url: where peers reach this node, https://host:port; "" if it accepts no connections;
            None: as before.
        listen_host: address that the agent listens on.
        listen_port: port that the agent listens on.
        may_lead: whether the node may close rosters.

    Raises:
        ConfigError, MarketplaceError, IdentityError, AgentStateError, and ChainErrors for key
        files.
    """
    folder = _own_folder(folder)
    request = _request(folder, token, url, listen_host, listen_port, may_lead)
    signer = _signer(folder / NODE_KEY_FILE)
    target = decode_token(request.token)
    authority_pem = await fetch_authority(target.url, target.authority)
    async with contextlib.AsyncExitStack() as stack:
        first = MarketplaceClient(target.url, authority_pem)
        stack.push_async_callback(first.close)
        granted = await first.enroll(
            {
                "secret": target.secret,
                "csr_pem": request.csr_pem,
                "key": signer.address,
                "url": request.url,
                "may_lead": request.may_lead,
            }
        )
        deployment = _mapping(granted, "deployment")
        domain = Domain(_number(deployment, "chain_id"), text(deployment, "consortium"))
        enrollment_id, message = _checked(granted, request, signer)
        svid = Svid.from_pem(
            text(granted, "svid_pem").encode(),
            request.tls_key_pem.encode(),
            read_bundle(text(granted, "bundle_pem").encode()),
        )
        if svid.spiffe_id != text(granted, "spiffe_id"):
            raise IdentityError(f"the marketplace issued an SVID for {svid.spiffe_id}")
        second = MarketplaceClient(target.url, authority_pem, lambda: svid)
        stack.push_async_callback(second.close)
        answer = await second.sign_enrollment(enrollment_id, sign(domain, message, signer))
    _keep(folder, granted, svid)
    _write_settings(folder, target, request, granted, svid.spiffe_id)
    state = str(answer.get("state", "awaiting-owner"))
    return Enrolled(svid.spiffe_id, signer.address, enrollment_id, state, str(folder), request.url)


def _own_folder(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        raise AgentStateError(f"others can look into {folder}", hint=f"chmod 700 {folder}")
    return folder.resolve()


def _request(
    folder: Path, token: str | None, url: str | None, host: str, port: int, may_lead: bool
) -> Request:
    path = folder / REQUEST_FILE
    begun: Request | None = None
    if path.exists():
        try:
            begun = Request(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise AgentStateError(
                f"{path} is damaged: {error}", hint="enroll into a new folder, with a new token"
            ) from error
    if begun is not None and token in (None, begun.token):
        if url is not None and url != begun.url:
            raise ConfigError(
                f"this enrollment was begun with the URL {begun.url}"
                if begun.url
                else "this enrollment was begun without a URL",
                hint="an address cannot be changed under a used token: enroll with a new one",
            )
        return begun
    if begun is not None and (folder / CONFIG_NAME).exists():
        raise AgentStateError(
            f"{folder} holds a node that is enrolled already",
            hint="a new token needs a new key: name another folder with --folder",
        )
    if token is None or url is None:
        raise ConfigError(
            "a first enrollment needs a token and a URL",
            hint="swarm-node enroll --token … --url https://this-host:7443; "
            '--url "" where the site accepts no inbound connections',
        )
    decode_token(token)  # before anything is kept
    try:
        url = node_url(url)
    except ValueError as error:
        raise ConfigError(f"the node's URL {url} {error}") from error
    key = ec.generate_private_key(ec.SECP256R1())
    request = Request(
        token=token,
        url=url,
        may_lead=may_lead,
        listen_host=host,
        listen_port=port,
        csr_pem=certificate_request(key).decode("ascii"),
        tls_key_pem=private_pem(key).decode("ascii"),
    )
    replace_file(path, json.dumps(asdict(request), indent=2).encode())
    return request


def _signer(path: Path) -> Signer:
    if not path.exists():
        save_key(path, new_key())
    return load_key(path)


def _checked(
    granted: Mapping[str, Any], request: Request, signer: Signer
) -> tuple[str, Enrollment]:
    """The enrollment to sign, if it says what was asked for: nothing is signed on trust."""
    listed = _mapping(granted, "enrollment")
    try:
        message = from_json(Enrollment, listed.get("message"))
        agreement = from_json(Agreement, granted.get("agreement"))
    except MessageError as error:
        raise MarketplaceError(f"the marketplace's answer is malformed: {error}") from error
    if message.party >= len(agreement.parties):
        raise MarketplaceError(f"the agreement has no party {message.party}")
    organization = agreement.parties[message.party].organization
    spiffe_id = f"spiffe://{agreement.trust_domain}/org/{organization}/node/{message.node}"
    for what, mine, its in (
        ("agreement", struct_hash(agreement), message.agreement),
        ("key", signer.address, message.key),
        ("URL", request.url, message.url),
        ("right to lead", request.may_lead, message.may_lead),
        ("SPIFFE ID", spiffe_id, text(granted, "spiffe_id")),
    ):
        if mine != its:
            raise MarketplaceError(
                f"the enrollment to be signed names another {what}: {its!r} instead of {mine!r}",
                hint="it is not signed; tell your consortium",
            )
    return text(listed, "id"), message


def _keep(folder: Path, granted: Mapping[str, Any], svid: Svid) -> None:
    lease, lease_key = text(granted, "lease"), text(granted, "lease_public_key")
    leases.verify(lease, lease_key).check(svid.spiffe_id, time.time())
    agreement = to_json(from_json(Agreement, granted.get("agreement")))
    deployment = _mapping(granted, "deployment")
    addresses = {name: deployment.get(name) for name in _ADDRESSES}
    for name, value in ((AGREEMENT_FILE, agreement), (DEPLOYMENT_FILE, addresses)):
        replace_file(folder / name, json.dumps(value, indent=2).encode() + b"\n")
    replace_file(folder / LEASE_KEY_FILE, lease_key.encode("ascii") + b"\n")
    replace_file(folder / LEASE_FILE, lease.encode("ascii") + b"\n")
    with contextlib.suppress(IdentityError):
        if read_stored(folder).not_after_s >= svid.not_after_s:
            return  # renewed since
    store(folder, svid.key_pem, svid.chain_pem, text(granted, "bundle_pem").encode())


def _write_settings(
    folder: Path, target: Token, request: Request, granted: Mapping[str, Any], spiffe_id: str
) -> None:
    path = folder / CONFIG_NAME
    if path.exists():  # the operator may have changed it
        return
    values: dict[str, Any] = {
        "run": "",
        "agreement": "0x" + struct_hash(from_json(Agreement, granted.get("agreement"))).hex(),
        "spiffe_id": spiffe_id,
        "rpc_url": text(granted, "rpc_url"),
        "marketplace_url": target.url,
        "listen_host": request.listen_host,
        "listen_port": request.listen_port,
        "url": request.url,
    }
    # A JSON string is a TOML string, as long as it holds no control characters.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    lines[0] += "  # the run to take part in"
    header = "# Written by `swarm-node enroll`; all settings are explained in samples/full.toml."
    replace_file(path, "\n".join([header, *lines, ""]).encode())
    os.chmod(path, 0o644)  # no secrets in it


def _mapping(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = answer.get(name)
    if not isinstance(value, Mapping):
        raise MarketplaceError(f"the marketplace's answer lacks {name}")
    return value


def _number(answer: Mapping[str, Any], name: str) -> int:
    value = answer.get(name)
    if type(value) is not int:
        raise MarketplaceError(f"the marketplace's answer lacks {name}")
    return value
