"""`swarm-market init | serve | chain`: running a marketplace."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from contracts.errors import MessageError, NotDeployed
from contracts.keys import new_key, save_key
from contracts.messages import checksum_address
from marketplace.cli import options
from marketplace.cli.output import note, show
from marketplace.errors import Conflict, InvalidInput

_TOKEN_WEI = 10**18
_DEFAULT_SUPPLY_TOKENS = 1_000_000_000
_TEMPLATE = """\
# Settings of this marketplace. All of them: swarm-market serve --help, marketplace/README.md.
trust_domain = "{trust_domain}"
admin_wallets = [{admins}]
"""


def install(root: typer.Typer) -> None:
    """Adds the commands that stand by themselves."""
    root.command("init", epilog="Example: swarm-market init market --admin 0x…")(init)
    root.command("chain", epilog="Example: swarm-market chain --folder market --treasury 0x…")(
        chain
    )
    root.command("serve", epilog="Example: swarm-market serve --folder market --public-dashboard")(
        serve
    )


def init(
    folder: Annotated[Path, typer.Argument(help="made if it is not there")],
    admin: Annotated[
        list[str] | None, typer.Option("--admin", help="address of an admin's wallet; repeatable")
    ] = None,
    trust_domain: Annotated[
        str, typer.Option(help="SPIFFE trust domain of the nodes")
    ] = "swarm.example",
    as_json: options.Json = False,
) -> None:
    """Makes a marketplace: its folder, settings, certificate authority and keys."""
    from marketplace import settings
    from marketplace.clock import now_s
    from marketplace.identity import authority
    from marketplace.leases import signing as leases

    admins = [_address(each) for each in admin or []]
    if (folder / settings.SETTINGS_FILE).exists():
        raise Conflict(f"{folder} holds a marketplace already", hint="choose another folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = _TEMPLATE.format(
        trust_domain=trust_domain, admins=", ".join(f'"{each}"' for each in admins)
    )
    made = authority.create(folder, trust_domain, now_s())
    leases.create(folder)
    relayer = new_key()
    save_key(folder / settings.RELAYER_KEY_FILE, relayer)
    # Last: the folder holds a marketplace once it is there.
    (folder / settings.SETTINGS_FILE).write_text(text, encoding="utf-8")
    note(
        "The certificate authority is built in: its key lies in this folder. For production, "
        "give nodes SVIDs of your own (SPIRE)."
    )
    shown = {
        "folder": str(folder),
        "ca": made.fingerprint,
        "relayer": relayer.address,
        "trust_domain": trust_domain,
    }
    show(shown, as_json, *(f"{name}: {value}" for name, value in shown.items()))


def chain(
    treasury: Annotated[
        str, typer.Option(help="account that may mint the reward token (first start only)")
    ] = "",
    folder: options.Folder = options.DEFAULT_FOLDER,
    port: Annotated[int, typer.Option(help="of the endpoint, on loopback")] = 8545,
    token_name: Annotated[str, typer.Option(help="of the reward token")] = "Swarm Token",
    cap: Annotated[int, typer.Option(help="tokens that can ever exist")] = _DEFAULT_SUPPLY_TOKENS,
    as_json: options.Json = False,
) -> None:
    """Runs a chain of its own on this machine, and deploys the contracts at the first start."""
    address = _address(treasury) if treasury else ""
    asyncio.run(_chain(address, folder, port, token_name, cap * _TOKEN_WEI, as_json))


async def _chain(
    treasury: str, folder: Path, port: int, token_name: str, cap_wei: int, as_json: bool
) -> None:
    from contracts.chain import Chain
    from contracts.deployment import Contracts, Deployment, deploy
    from contracts.embedded import EmbeddedChain

    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    file = folder / "deployment.json"
    if not file.exists() and not treasury:
        raise InvalidInput(
            "the reward token needs a treasury", hint="--treasury: the address of its wallet"
        )
    async with EmbeddedChain() as embedded:
        rpc_url = await embedded.start(folder / "chain", port)
        async with await Chain.connect(rpc_url) as connection:
            try:
                deployment = Deployment.load(file)
                await Contracts.at(connection, deployment).check()
            except NotDeployed as error:
                if not treasury:
                    raise
                note(f"deploying the contracts ({error})")
                deployment = await deploy(
                    connection, embedded.deployer, treasury, token_name, cap_wei
                )
                await embedded.save()
                deployment.save(file)
        show(
            {"rpc_url": rpc_url, "deployment": deployment.to_json()},
            as_json,
            f"chain: {rpc_url}",
            f"deployment: {file}",
        )
        # The reader may be a program that waits for this line.
        sys.stdout.flush()
        await stopping.wait()


def serve(
    folder: options.Folder = options.DEFAULT_FOLDER,
    web_port: Annotated[int | None, typer.Option(help="of the listener for people")] = None,
    agent_port: Annotated[int | None, typer.Option(help="of the listener for nodes")] = None,
    rpc_url: Annotated[str | None, typer.Option(help="Ethereum endpoint")] = None,
    public_dashboard: Annotated[
        bool, typer.Option("--public-dashboard", help="pages can be read without signing in")
    ] = False,
    production: Annotated[
        bool, typer.Option("--production", help="refuse what is for trying out only")
    ] = False,
) -> None:
    """Runs the marketplace: pages and API for people, API for nodes, relayer and indexer."""
    from marketplace.serving import serve as run
    from marketplace.settings import is_loopback, load

    settings = load(
        folder,
        web_port=web_port,
        agent_port=agent_port,
        rpc_url=rpc_url,
        public_dashboard=public_dashboard or None,
        production=production or None,
    )
    if settings.public_dashboard and not is_loopback(settings.web_host):
        note(f"everybody who reaches {settings.web_host} can read the dashboard")
    asyncio.run(run(settings))


def _address(text: str) -> str:
    try:
        return checksum_address(text)
    except MessageError as error:
        raise InvalidInput(str(error)) from error
