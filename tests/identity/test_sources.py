"""What every source of SVIDs does alike, and what each does by itself."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from node_agent import renewal
from node_agent.errors import IdentityError
from node_agent.identity import workload
from node_agent.identity.builtin import read_stored, store
from node_agent.identity.workload import WorkloadSource
from tests.identity.authority import TRUST_DOMAIN, Authority
from tests.identity.supplies import NAME, OTHER, SUPPLIES, BuiltinSupply, FileSupply, Supply
from tests.identity.workload_api import WorkloadApi

pytestmark = pytest.mark.asyncio


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s")  # short: it holds a socket


@pytest_asyncio.fixture(params=sorted(SUPPLIES))
async def supply(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Supply]:
    # The built-in source looks at the clock in naps; tests move the clock in between.
    supply = SUPPLIES[request.param](folder)
    yield supply
    await asyncio.to_thread(supply.stop)


@pytest.fixture(autouse=True)
def short_naps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "LONGEST_NAP_S", 0.05)
    monkeypatch.setattr(renewal, "FIRST_RETRY_S", 0.1)


class TestEverySource:
    async def test_shows_the_svid_with_key_and_authorities(
        self, supply: Supply, authority: Authority
    ) -> None:
        issued = authority.issue(NAME)
        supply.offer(authority, issued)
        async with supply.source() as source:
            svid = source.current()
            assert svid.spiffe_id == NAME
            assert svid.serial == issued.certificate.serial_number
            assert svid.bundles == {TRUST_DOMAIN: (authority.der,)}
            assert b"PRIVATE KEY" in svid.key_pem
            assert "PRIVATE KEY" not in repr(svid)

    async def test_takes_up_a_new_svid_and_tells(
        self, supply: Supply, authority: Authority
    ) -> None:
        supply.offer(authority, authority.issue(NAME))
        async with supply.source() as source:
            first = source.current()
            waiting = asyncio.create_task(source.changed())
            await asyncio.sleep(0)
            supply.offer(authority, authority.issue(NAME, ttl_s=7200))
            second = await asyncio.wait_for(waiting, 5)
            assert source.current() is second
            assert second.spiffe_id == first.spiffe_id
            assert second.not_after_s > first.not_after_s + 1800
            assert second.leaf.spki_hash != first.leaf.spki_hash

    async def test_refuses_an_svid_in_another_name(
        self, supply: Supply, authority: Authority
    ) -> None:
        supply.offer(authority, authority.issue(OTHER))
        with pytest.raises(IdentityError, match="node/2"):
            async with supply.source():
                pass

    async def test_keeps_its_svid_when_one_in_another_name_comes(
        self, supply: Supply, authority: Authority
    ) -> None:
        supply.offer(authority, authority.issue(NAME))
        async with supply.source() as source:
            supply.offer(authority, authority.issue(OTHER, ttl_s=7200))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(source.changed(), 0.4)
            assert source.current().spiffe_id == NAME

    async def test_never_shows_an_expired_svid_even_if_it_is_all_there_is(
        self, supply: Supply, authority: Authority
    ) -> None:
        supply.offer(authority, authority.issue(NAME, ttl_s=-1))
        async with supply.source() as source:
            with pytest.raises(IdentityError, match="expired on") as caught:
                source.current()
            assert caught.value.hint

    async def test_stops_showing_an_svid_when_its_time_is_over(
        self, supply: Supply, authority: Authority
    ) -> None:
        supply.offer(authority, authority.issue(NAME))
        async with supply.source() as source:
            source.current()
            supply.clock.ahead_s = 3601
            with pytest.raises(IdentityError, match="expired on"):
                source.current()

    async def test_blames_the_clock_for_an_svid_of_the_future(
        self, supply: Supply, authority: Authority
    ) -> None:
        supply.offer(authority, authority.issue(NAME))
        async with supply.source() as source:
            supply.clock.ahead_s = -3600
            with pytest.raises(IdentityError, match="not valid before") as caught:
                source.current()
            assert "clock" in caught.value.hint


class TestFiles:
    async def test_a_half_replaced_set_is_not_taken_up(
        self, folder: Path, authority: Authority
    ) -> None:
        supply = FileSupply(folder)
        supply.offer(authority, authority.issue(NAME))
        async with supply.source() as source:
            first, renewed = source.current(), authority.issue(NAME)
            supply.chain.write_bytes(renewed.chain_pem)  # its key is not there yet
            await asyncio.sleep(0.2)
            assert source.current() is first
            waiting = asyncio.create_task(source.changed())
            await asyncio.sleep(0)
            supply.key.write_bytes(renewed.key_pem)
            second = await asyncio.wait_for(waiting, 5)
            assert second.serial == renewed.certificate.serial_number

    async def test_files_behind_a_switched_symbolic_link_are_taken_up(
        self, folder: Path, authority: Authority
    ) -> None:
        """How Kubernetes replaces mounted secrets."""
        supply = FileSupply(folder)
        for name in ("old", "new"):
            (folder / name).mkdir()
            at = FileSupply(folder / name)
            at.offer(authority, authority.issue(NAME, ttl_s=3600 if name == "old" else 7200))
        (folder / "data").symlink_to("old")
        for path in (supply.chain, supply.key, supply.bundle):
            path.symlink_to(Path("data") / path.name)
        async with supply.source() as source:
            waiting = asyncio.create_task(source.changed())
            await asyncio.sleep(0)
            (folder / "next").symlink_to("new")
            os.replace(folder / "next", folder / "data")
            svid = await asyncio.wait_for(waiting, 5)
            assert svid.not_after_s > time.time() + 7000

    async def test_a_key_that_everyone_can_read_is_refused(
        self, folder: Path, authority: Authority
    ) -> None:
        supply = FileSupply(folder)
        supply.offer(authority, authority.issue(NAME))
        supply.key.chmod(0o644)
        with pytest.raises(IdentityError, match="everyone on this machine") as caught:
            async with supply.source():
                pass
        assert caught.value.hint == f"chmod 600 {supply.key}"

    async def test_a_missing_file_is_named(self, folder: Path, authority: Authority) -> None:
        supply = FileSupply(folder)
        supply.offer(authority, authority.issue(NAME))
        supply.bundle.unlink()
        with pytest.raises(IdentityError, match=r"cannot read .*b\.pem"):
            async with supply.source():
                pass

    @pytest.mark.parametrize("part", ["chain", "key", "bundle"])
    async def test_what_is_not_pem_is_refused(
        self, folder: Path, authority: Authority, part: str
    ) -> None:
        supply = FileSupply(folder)
        supply.offer(authority, authority.issue(NAME))
        getattr(supply, part).write_bytes(b"not PEM")
        with pytest.raises(IdentityError, match="PEM"):
            async with supply.source():
                pass


class TestBuiltin:
    async def test_each_renewal_has_a_new_key_and_is_kept_for_the_next_start(
        self, folder: Path, authority: Authority
    ) -> None:
        supply = BuiltinSupply(folder)
        supply.offer(authority, authority.issue(NAME))
        async with supply.source() as source:
            for ttl_s in (7200, 14_400):
                before = source.current()
                waiting = asyncio.create_task(source.changed())
                await asyncio.sleep(0)
                supply.offer(authority, authority.issue(NAME, ttl_s=ttl_s))
                supply.clock.ahead_s = ttl_s * 0.3  # 0.6 of the life of the one before
                after = await asyncio.wait_for(waiting, 5)
                assert after.leaf.spki_hash != before.leaf.spki_hash
                assert read_stored(folder) == after
            latest = source.current()
        async with supply.source() as source:
            assert source.current() == latest
        assert (folder / "svid.pem").stat().st_mode & 0o077 == 0

    async def test_an_outage_of_the_marketplace_is_outlived(
        self, folder: Path, authority: Authority
    ) -> None:
        supply = BuiltinSupply(folder)
        supply.offer(authority, authority.issue(NAME))
        supply.away = True
        async with supply.source() as source:
            first = source.current()
            waiting = asyncio.create_task(source.changed())
            supply.offer(authority, authority.issue(NAME, ttl_s=7200))
            while len(supply.asked) < 3:  # noqa: ASYNC110 - it is asked again, that is the point
                await asyncio.sleep(0.01)
            assert source.current() is first
            assert not waiting.done()
            supply.away = False
            assert (await asyncio.wait_for(waiting, 5)).not_after_s > first.not_after_s

    async def test_an_svid_that_the_operator_enrolled_for_again_is_taken_up(
        self, folder: Path, authority: Authority
    ) -> None:
        supply = BuiltinSupply(folder)
        supply.offer(authority, authority.issue(NAME, ttl_s=-1))
        async with supply.source() as source:
            waiting = asyncio.create_task(source.changed())
            await asyncio.sleep(0.2)  # its attempts to renew with an expired SVID are in vain
            fresh = authority.issue(NAME, ttl_s=7200)
            store(folder, fresh.key_pem, fresh.chain_pem, authority.pem)
            assert (await asyncio.wait_for(waiting, 5)).serial == fresh.certificate.serial_number
            assert source.current().serial == fresh.certificate.serial_number

    async def test_a_folder_without_an_svid_says_how_to_get_one(self, folder: Path) -> None:
        with pytest.raises(IdentityError) as caught:
            async with BuiltinSupply(folder).source():
                pass
        assert "swarm-node enroll" in caught.value.hint


class TestWorkload:
    async def test_the_exact_name_is_picked_in_whatever_order_svids_come(
        self, folder: Path, authority: Authority
    ) -> None:
        api = WorkloadApi(folder / "api.sock")
        mine, other = authority.issue(NAME), authority.issue(OTHER)
        partner = Authority("partner.example")
        try:
            for order in ([mine, other], [other, mine]):
                api.serve(authority, *order, federated=[partner])
                async with WorkloadSource(api.socket, NAME, patience_s=2) as source:
                    svid = source.current()
                    assert svid.serial == mine.certificate.serial_number
                    assert svid.bundles == {
                        TRUST_DOMAIN: (authority.der,),
                        "partner.example": (partner.der,),
                    }
        finally:
            await asyncio.to_thread(api.stop)

    async def test_an_entry_that_comes_late_is_waited_for(
        self, folder: Path, authority: Authority
    ) -> None:
        api = WorkloadApi(folder / "api.sock")
        api.serve(authority, authority.issue(OTHER))
        source = WorkloadSource(api.socket, NAME, patience_s=5)
        opening = asyncio.create_task(source.__aenter__())
        try:
            await asyncio.sleep(0.3)
            assert not opening.done()
            api.serve(authority, authority.issue(NAME))
            assert (await opening).current().spiffe_id == NAME
        finally:
            await source.__aexit__(None, None, None)
            await asyncio.to_thread(api.stop)

    async def test_the_same_svid_again_is_no_change(
        self, folder: Path, authority: Authority
    ) -> None:
        api = WorkloadApi(folder / "api.sock")
        issued = authority.issue(NAME)
        api.serve(authority, issued)
        try:
            async with WorkloadSource(api.socket, NAME, patience_s=2) as source:
                waiting = asyncio.create_task(source.changed())
                await asyncio.sleep(0)
                api.serve(authority, issued)
                await asyncio.sleep(0.3)
                assert not waiting.done()
                waiting.cancel()
        finally:
            await asyncio.to_thread(api.stop)

    async def test_a_restarted_agent_is_found_again(
        self, folder: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(workload, "RESTART_S", 0.1)
        api = WorkloadApi(folder / "api.sock")
        api.serve(authority, authority.issue(NAME))
        async with WorkloadSource(api.socket, NAME, patience_s=2) as source:
            first = source.current()
            await asyncio.to_thread(api.stop)
            assert source.current() is first  # it lives on what it has
            waiting = asyncio.create_task(source.changed())
            again = await asyncio.to_thread(WorkloadApi, folder / "api.sock")
            again.serve(authority, authority.issue(NAME, ttl_s=7200))
            try:
                assert (await asyncio.wait_for(waiting, 20)).not_after_s > first.not_after_s
            finally:
                await asyncio.to_thread(again.stop)

    async def test_no_socket_is_said_at_once(self, folder: Path) -> None:
        with pytest.raises(IdentityError, match="no Workload API at") as caught:
            async with WorkloadSource(folder / "none.sock", NAME):
                pass
        assert "identity.socket" in caught.value.hint
