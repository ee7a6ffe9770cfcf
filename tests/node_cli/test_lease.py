"""Leases as the marketplace signs them: verified offline, renewed in time, never in the way."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from marketplace.leases import signing as leases
from node_agent import lease, renewal
from node_agent.errors import LeaseError, MarketplaceError
from node_agent.joining import check_lease
from node_agent.journal import Journal

NODE = "spiffe://swarm.example/org/clinic-a/node/site-1"
NOW_S = int(time.time())


@pytest.fixture
def signer(tmp_path: Path) -> leases.LeaseSigner:
    return leases.create(tmp_path)


def signed(signer: leases.LeaseSigner, issued_s: int = NOW_S, expires_s: int = NOW_S + 3600) -> str:
    return signer.sign(leases.Lease("7", "clinic-a", NODE, ("training",), issued_s, expires_s))


def test_a_lease_of_the_marketplace_is_good(signer: leases.LeaseSigner) -> None:
    right = lease.verify(signed(signer), signer.public_key)
    assert right == lease.Lease("7", "clinic-a", NODE, ("training",), NOW_S, NOW_S + 3600)
    right.check(NODE, NOW_S + 3599)


def test_a_lease_ends(signer: leases.LeaseSigner) -> None:
    right = lease.verify(signed(signer), signer.public_key)
    with pytest.raises(LeaseError, match="expired 5 s ago"):
        right.check(NODE, NOW_S + 3605)


def test_a_lease_is_for_one_node(signer: leases.LeaseSigner) -> None:
    right = lease.verify(signed(signer), signer.public_key)
    with pytest.raises(LeaseError, match="not for spiffe://elsewhere"):
        right.check("spiffe://elsewhere", NOW_S)


def test_a_lease_covers_what_it_names(signer: leases.LeaseSigner) -> None:
    right = lease.verify(signed(signer), signer.public_key)
    with pytest.raises(LeaseError, match="does not cover serving"):
        right.check(NODE, NOW_S, "serving")


def test_another_key_signs_no_lease(signer: leases.LeaseSigner, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = leases.create(tmp_path / "other")
    with pytest.raises(LeaseError, match="not one that"):
        lease.verify(signed(other), signer.public_key)


def test_a_prolonged_lease_is_refused(signer: leases.LeaseSigner) -> None:
    payload, _, signature = signed(signer).partition(".")
    fields = json.loads(base64.urlsafe_b64decode(payload + "=="))
    fields["expires"] += 10**9
    longer = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")
    with pytest.raises(LeaseError, match="not one that"):
        lease.verify(f"{longer}.{signature}", signer.public_key)


@pytest.mark.parametrize("text", ["", ".", "a.b", "ä.b", "x" * 100_000])
def test_nonsense_is_no_lease(signer: leases.LeaseSigner, text: str) -> None:
    with pytest.raises(LeaseError):
        lease.verify(text, signer.public_key)


def test_a_missing_lease_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(LeaseError) as caught:
        lease.read(tmp_path / "none", tmp_path / "none.pub")
    assert "swarm-node enroll" in caught.value.hint


def test_a_lease_serves_offline_for_its_grace(signer: leases.LeaseSigner) -> None:
    text = signer.sign(
        leases.Lease("7", "clinic-a", NODE, ("training",), NOW_S, NOW_S + 60, grace_s=30)
    )
    right = lease.verify(text, signer.public_key)
    right.check(NODE, NOW_S + 89)
    with pytest.raises(LeaseError, match="expired 30 s ago"):
        right.check(NODE, NOW_S + 90)


class TestFolder:
    """The lease in a node's folder, and what lies beside it."""

    @pytest.fixture
    def paths(self, signer: leases.LeaseSigner, tmp_path: Path) -> tuple[Path, Path]:
        path, key_path = tmp_path / "lease", tmp_path / "lease.pub"
        key_path.write_text(signer.public_key)
        lease.adopt(signed(signer), path, key_path)
        return path, key_path

    def test_a_clock_that_was_set_back_is_found_out(self, paths: tuple[Path, Path]) -> None:
        lease.usable(*paths, NODE, NOW_S + 3500)
        with pytest.raises(LeaseError, match="set back") as caught:
            lease.usable(*paths, NODE, NOW_S + 10)
        assert "lease.clock" in caught.value.hint
        lease.usable(*paths, NODE, NOW_S + 3400)  # clocks differ a little

    def test_a_clock_that_is_behind_is_found_out(self, paths: tuple[Path, Path]) -> None:
        with pytest.raises(LeaseError, match="begins in 1000 s"):
            lease.usable(*paths, NODE, NOW_S - 1000)

    def test_nothing_forged_is_put_in_place(self, paths: tuple[Path, Path]) -> None:
        before = paths[0].read_text()
        with pytest.raises(LeaseError):
            lease.adopt("forged.lease", *paths)
        assert paths[0].read_text() == before

    async def test_a_lease_is_deleted_before_its_seat_is_free(
        self, paths: tuple[Path, Path]
    ) -> None:
        told: list[str] = []

        async def away(lease_id: str) -> None:
            assert not paths[0].exists()
            raise MarketplaceError("away")

        async def tell(lease_id: str) -> None:
            told.append(lease_id)

        with pytest.raises(MarketplaceError):
            await lease.give_back(*paths, away)
        with pytest.raises(LeaseError):
            lease.read(*paths)
        assert await lease.give_back(*paths, tell) == "7"  # killed in between: it goes on there
        assert told == ["7"]
        assert await lease.give_back(*paths, tell) is None

    def test_an_expired_lease_lets_a_run_go_on_and_no_new_one_begin(
        self, signer: leases.LeaseSigner, paths: tuple[Path, Path], tmp_path: Path
    ) -> None:
        journal = Journal(tmp_path / "journal.sqlite3")
        settings = SimpleNamespace(
            marketplace_url="https://market",
            lease=paths[0],
            lease_key=paths[1],
            spiffe_id=NODE,
        )
        check_lease(settings, journal, b"\x01" * 32)  # type: ignore[arg-type] # what it reads
        lease.adopt(signed(signer, NOW_S - 200, NOW_S - 100), *paths)
        check_lease(settings, journal, b"\x01" * 32)  # type: ignore[arg-type] # what it reads
        with pytest.raises(LeaseError, match="expired"):
            check_lease(settings, journal, b"\x02" * 32)  # type: ignore[arg-type] # what it reads
        journal.close()


class TestRenewal:
    @pytest.fixture(autouse=True)
    def short_naps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(renewal, "LONGEST_NAP_S", 0.01)
        monkeypatch.setattr(renewal, "FIRST_RETRY_S", 0.02)

    @pytest.mark.parametrize("before", ["", "half over", "forged"])
    async def test_a_lease_that_is_missing_or_half_over_is_renewed_through_an_outage(
        self, signer: leases.LeaseSigner, tmp_path: Path, before: str
    ) -> None:
        path, key_path = tmp_path / "lease", tmp_path / "lease.pub"
        key_path.write_text(signer.public_key)
        if before == "half over":
            path.write_text(signed(signer, NOW_S - 4000, NOW_S + 3000))
        elif before == "forged":
            path.write_text("forged.lease")
        asked = 0

        async def ask() -> str:
            nonlocal asked
            asked += 1
            if asked < 3:
                raise MarketplaceError("away")
            return signed(signer)

        keeping = asyncio.create_task(lease.keep_fresh(path, key_path, ask))
        while asked < 3:  # noqa: ASYNC110 - it is asked again, that is the point
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert not keeping.done()
        assert asked == 3  # and no more, now that half of its life is to come
        keeping.cancel()
        assert lease.read(path, key_path).expires_s == NOW_S + 3600

    async def test_a_forged_answer_replaces_nothing(
        self, signer: leases.LeaseSigner, tmp_path: Path
    ) -> None:
        path, key_path = tmp_path / "lease", tmp_path / "lease.pub"
        key_path.write_text(signer.public_key)
        old = signed(signer, NOW_S - 4000, NOW_S + 3000)
        path.write_text(old)
        asked = asyncio.Event()

        async def ask() -> str:
            asked.set()
            return "forged.lease"

        keeping = asyncio.create_task(lease.keep_fresh(path, key_path, ask))
        await asked.wait()
        await asyncio.sleep(0.05)
        assert path.read_text() == old
        assert not keeping.done()
        keeping.cancel()
