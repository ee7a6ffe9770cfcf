"""`swarm-market rewards …`, `fund`, `mint`: what was earned, and where it comes from."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from contracts.keys import Signer
from marketplace.agreements.document import token_amount
from marketplace.cli import options
from marketplace.cli.output import show, table
from marketplace.cli.runs import RunId, run_id
from marketplace.client import MarketClient
from marketplace.errors import InvalidInput
from marketplace.money.amounts import must_have, wei_of

app = typer.Typer(help="Rewards: what organizations earned.", no_args_is_help=True)
Amount = Annotated[str, typer.Argument(help="in tokens, for example 1000 or 0.5")]


@app.command("show", epilog="Example: swarm-market rewards show tumors --wallet hospital-a.json")
def show_rewards(
    run: RunId,
    access: options.Access = None,
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Shows what each organization earned in a run, beside an equal split and one by size."""
    with options.client(market, access, password_file) as client:
        earned = client.earnings(run_id(client, run))
    rows = [
        (
            each["organization"],
            token_amount(int(each["credited_wei"])),
            token_amount(int(each["equal_wei"])),
            "-" if each["size_wei"] is None else token_amount(int(each["size_wei"])),
            token_amount(int(each["claimable_wei"])),
        )
        for each in earned["organizations"]
    ]
    show(
        earned,
        as_json,
        f"funded {token_amount(int(earned['funded_wei']))}, "
        f"vested {token_amount(int(earned['vested_wei']))}, "
        f"credited {token_amount(int(earned['credited_wei']))}, split: {earned['metering']}",
        table(("organization", "credited", "if equal", "if by size", "to claim"), rows),
    )


@app.command("claim", epilog="Example: swarm-market rewards claim tumors --wallet hospital-a.json")
def claim(
    run: RunId,
    wallet: options.Wallet,
    recipient: Annotated[str, typer.Option(help="account; default: the wallet itself")] = "",
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    wait_s: options.WaitSeconds = options.DEFAULT_WAIT_S,
    as_json: options.Json = False,
) -> None:
    """Claims all that this wallet's organization earned in a run."""
    with options.client(market, wallet, password_file) as client:
        identifier = run_id(client, run)
        mine = _mine(client, identifier)
        operation = client.claim(identifier, mine, recipient)
        if wait_s > 0:
            operation = client.wait(operation["id"], wait_s)
    result = operation["result"]
    paid = (
        f"{token_amount(int(result['amount']))} tokens to {result['recipient']}" if result else ""
    )
    show(operation, as_json, f"{operation['state']}: {paid or operation['id']}")


@app.command(
    "ledger", epilog="Example: swarm-market rewards ledger --run tumors --wallet hospital-a.json"
)
def show_ledger(
    access: options.Access = None,
    run: Annotated[str, typer.Option(help="name or id; default: all that you may see")] = "",
    market: options.Market = options.DEFAULT_MARKET,
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Lists the entries of the books, and what each moved, in wei; each sums to zero."""
    with options.client(market, access, password_file) as client:
        found = client.ledger(run_id(client, run) if run else "")
    rows = [
        (each["number"], each["block"], posting["account"], posting["amount_wei"], each["what"])
        for each in found
        for posting in each["postings"]
    ]
    show(found, as_json, table(("entry", "block", "account", "wei", "what"), rows))


def install(root: typer.Typer) -> None:
    """Adds the commands that stand by themselves."""
    root.command("fund", epilog="Example: swarm-market fund tumors 1000 --wallet sponsor.json")(
        fund
    )
    root.command("mint", epilog="Example: swarm-market mint 0x… 1000 --wallet treasury.json")(mint)


def fund(
    run: RunId,
    amount: Amount,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    rpc_url: options.RpcUrl = "",
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Adds to a run's pool from the wallet's tokens, directly on chain.

    What has not vested when the run ends returns to its sponsor, whoever paid it in.
    """
    signer, amount_wei = options.opened(wallet, password_file), wei_of(amount)
    with MarketClient(market, signer) as client:
        identifier, deployment = run_id(client, run), client.deployment()
    transaction = asyncio.run(_fund(deployment, rpc_url, identifier, amount_wei, signer))
    shown = {"run": identifier, "amount_wei": str(amount_wei), "transaction": transaction}
    show(shown, as_json, transaction)


def mint(
    to: Annotated[str, typer.Argument(help="account that the tokens are for")],
    amount: Amount,
    wallet: options.Wallet,
    market: options.Market = options.DEFAULT_MARKET,
    rpc_url: options.RpcUrl = "",
    password_file: options.PasswordFile = None,
    as_json: options.Json = False,
) -> None:
    """Mints reward tokens; the wallet is the token's treasury."""
    signer, amount_wei = options.opened(wallet, password_file), wei_of(amount)
    with MarketClient(market) as client:
        deployment = client.deployment()
    transaction = asyncio.run(_mint(deployment, rpc_url, to, amount_wei, signer))
    shown = {"to": to, "amount_wei": str(amount_wei), "transaction": transaction}
    show(shown, as_json, transaction)


def _mine(client: MarketClient, identifier: str) -> str:
    rows = client.earnings(identifier)["organizations"]
    mine = [each["organization"] for each in rows if each["wallet"] == client.wallet.address]
    if not mine:
        raise InvalidInput(f"{client.wallet.address} is no party of this run's agreement")
    return str(mine[0])


async def _fund(
    deployment: dict[str, object], rpc_url: str, run: str, amount_wei: int, signer: Signer
) -> str:
    from contracts.chain import Chain
    from contracts.deployment import Contracts, Deployment

    endpoint = rpc_url or str(deployment.pop("rpc_url"))
    deployment.pop("rpc_url", None)
    async with await Chain.connect(endpoint) as chain:
        contracts = Contracts.at(chain, Deployment.from_json(deployment))
        await contracts.check()
        must_have(signer.address, await contracts.token.balance_of(signer.address), amount_wei)
        spender = contracts.rewards.address
        await contracts.token.approve(spender, amount_wei, signer=signer)
        receipt = await contracts.rewards.fund(bytes.fromhex(run[2:]), amount_wei, signer=signer)
        return receipt.transaction


async def _mint(
    deployment: dict[str, object], rpc_url: str, to: str, amount_wei: int, signer: Signer
) -> str:
    from contracts.chain import Chain
    from contracts.deployment import Contracts, Deployment

    endpoint = rpc_url or str(deployment.pop("rpc_url"))
    deployment.pop("rpc_url", None)
    async with await Chain.connect(endpoint) as chain:
        contracts = Contracts.at(chain, Deployment.from_json(deployment))
        await contracts.check()
        return (await contracts.token.mint(to, amount_wei, signer=signer)).transaction
