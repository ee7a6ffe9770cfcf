"""The wiring: settings in, one object that holds all parts out. Nothing else builds parts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from contracts import Contracts
from contracts.chain import Chain
from contracts.deployment import Deployment
from contracts.keys import load_key
from contracts.messages import checksum_address
from marketplace.agents.tls import ServerTls
from marketplace.agreements import templating
from marketplace.agreements.admission import Admissions
from marketplace.agreements.service import Agreements
from marketplace.agreements.templating import Template
from marketplace.chain.duties import Duties
from marketplace.chain.indexer import Indexer
from marketplace.chain.relayer import Relayer
from marketplace.clock import now_s
from marketplace.consortia.invitations import Invitations
from marketplace.consortia.negotiations import Negotiations
from marketplace.consortia.versions import Versions
from marketplace.errors import SettingsError
from marketplace.governance.acts import Acts
from marketplace.governance.amendments import Amendments
from marketplace.governance.follower import Follower
from marketplace.governance.motions import Motions
from marketplace.identity import authority as authorities
from marketplace.identity.authority import Authority
from marketplace.leases import signing as leases
from marketplace.leases.service import Policy
from marketplace.leases.signing import LeaseSigner
from marketplace.money import envelope, webhooks
from marketplace.money.announcements import Notices
from marketplace.money.statements import Statements, reference_of
from marketplace.money.webhooks import Webhooks
from marketplace.nodes.enrollment import Enrollments
from marketplace.nodes.first_contact import FirstContacts
from marketplace.runs.pools import Pools
from marketplace.runs.requests import RunRequests
from marketplace.settings import RELAYER_KEY_FILE, Settings
from marketplace.storage import migrate
from marketplace.storage.database import Database
from marketplace.trail import log as trail
from marketplace.trail.anchors import Anchors

_LOG = logging.getLogger(__name__)
_HOUR_S = 3_600
INDEXING = "reading the chain"


@dataclass(frozen=True)
class Market:
    """All parts of a running marketplace."""

    settings: Settings
    database: Database
    contracts: Contracts
    authority: Authority
    lease_signer: LeaseSigner
    agreements: Agreements
    admissions: Admissions
    templates: Mapping[str, Template]
    negotiations: Negotiations
    invitations: Invitations
    amendments: Amendments
    motions: Motions
    acts: Acts
    follower: Follower
    first_contacts: FirstContacts
    enrollments: Enrollments
    runs: RunRequests
    pools: Pools
    indexer: Indexer
    duties: Duties
    relayer: Relayer
    anchors: Anchors
    statements: Statements
    notices: Notices
    webhooks: Webhooks
    tls: ServerTls
    admins: frozenset[str]
    auditors: frozenset[str]
    clock: Callable[[], int]

    @classmethod
    async def open(cls, settings: Settings, clock: Callable[[], int] = now_s) -> Self:
        """Reads keys, brings the database up to date, connects to the chain.

        Raises:
            SettingsError, KeyFileError: something in the folder is missing or not as it should be.
            ChainUnreachable, NotDeployed: the chain is away, or the contracts are not on it.
        """
        folder = settings.folder
        authority = authorities.load(folder)
        if authority.trust_domain != settings.trust_domain:
            raise SettingsError(
                f"the certificate authority is for {authority.trust_domain}, "
                f"the settings say {settings.trust_domain}",
                hint="set trust_domain back: nodes pin the authority",
            )
        deployment = Deployment.load(settings.path(settings.deployment_file))
        chain = await Chain.connect(settings.rpc_url)
        if settings.production and chain.profile.name == "anvil":
            await chain.close()
            raise SettingsError(
                "production settings refuse the embedded chain", hint="point rpc_url elsewhere"
            )
        contracts = Contracts.at(chain, deployment)
        await contracts.check()
        database = Database(settings.database, trail.recorder(clock))
        migrate.upgrade(database.engine)
        admins = frozenset(map(checksum_address, settings.admin_wallets))
        notices = Notices(
            settings.announce_budget_percent,
            settings.announce_rounds,
            settings.announce_hours,
            admins,
        )
        indexer = Indexer(
            database, contracts, settings.index_interval_ms / 1000, settings.first_block, notices
        )
        duties = Duties(database)
        relayer_key = load_key(folder / RELAYER_KEY_FILE)
        svid_lifetime_s = settings.svid_hours * _HOUR_S
        domain = contracts.domains.consortium
        admins = frozenset(map(checksum_address, settings.admin_wallets))
        admissions = Admissions(settings.admission == "open", admins)
        agreements = Agreements(domain, settings.trust_domain, admissions, clock)
        templates = templating.load(settings.path(settings.templates))
        negotiations = Negotiations(Versions(templates, agreements), agreements)
        enrollments = Enrollments(database, contracts, domain, clock)
        return cls(
            settings=settings,
            database=database,
            contracts=contracts,
            authority=authority,
            lease_signer=leases.load(folder),
            agreements=agreements,
            admissions=admissions,
            templates=templates,
            negotiations=negotiations,
            invitations=Invitations(negotiations, settings.invitation_hours),
            amendments=Amendments(domain),
            motions=Motions(database, contracts, clock),
            acts=Acts(database, contracts, clock),
            follower=Follower(database, settings.index_interval_ms / 1000, clock),
            first_contacts=FirstContacts(enrollments, authority, svid_lifetime_s),
            enrollments=enrollments,
            runs=RunRequests(database, contracts, clock),
            pools=Pools(database, contracts),
            indexer=indexer,
            duties=duties,
            relayer=Relayer(
                database,
                contracts,
                _when_on_duty(duties, indexer),
                relayer_key,
                settings.post_interval_ms / 1000,
                clock,
            ),
            anchors=Anchors(
                database, contracts, relayer_key, settings.anchor_hours * _HOUR_S, clock
            ),
            statements=Statements(
                database,
                contracts,
                envelope.load_or_create(folder),
                reference_of(
                    settings.reference_currency, settings.reference_price, settings.reference_label
                ),
                clock,
            ),
            notices=notices,
            webhooks=Webhooks(
                database,
                deployment.chain_id,
                webhooks.load_or_create_key(folder),
                notices,
                clock,
                may_reach_private=settings.webhooks_may_reach_private_networks,
            ),
            tls=ServerTls(authority, _names(settings), folder, svid_lifetime_s, clock),
            admins=admins,
            auditors=frozenset(map(checksum_address, settings.auditor_wallets)),
            clock=clock,
        )

    async def close(self) -> None:
        await self.contracts.chain.close()
        self.database.close()

    @property
    def node_rpc_url(self) -> str:
        """The endpoint that nodes are told."""
        return self.settings.node_rpc_url or self.settings.rpc_url

    async def post(self) -> None:
        """All that is posted with the relayer's key: the outbox, and the trail's anchors."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.relayer.run())
            if self.settings.anchor_hours:
                group.create_task(self.anchors.run())

    @property
    def session_lifetime_s(self) -> int:
        return self.settings.session_hours * _HOUR_S

    @property
    def token_lifetime_s(self) -> int:
        return self.settings.token_hours * _HOUR_S

    @property
    def svid_lifetime_s(self) -> int:
        return self.settings.svid_hours * _HOUR_S

    @property
    def lease_policy(self) -> Policy:
        settings = self.settings
        return Policy(
            settings.lease_hours * _HOUR_S,
            settings.lease_grace_hours * _HOUR_S,
            settings.lease_seats,
        )


def _when_on_duty(duties: Duties, indexer: Indexer) -> Callable[[], Awaitable[None]]:
    """Catches up with the chain, unless that is another process's work."""

    async def catch_up() -> None:
        if duties.holds(INDEXING):
            await indexer.catch_up()

    return catch_up


def _names(settings: Settings) -> list[str]:
    """What nodes may call the agent listener."""
    public = urlsplit(settings.public_agent_url).hostname or settings.agent_host
    names = [public, *settings.agent_names]
    if public in ("127.0.0.1", "::1"):
        names.append("localhost")
    return list(dict.fromkeys(names))
