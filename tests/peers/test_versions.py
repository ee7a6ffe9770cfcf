"""A pair of nodes uses the highest version that both speak, or says which of them is older."""

from __future__ import annotations

from pathlib import Path

import pytest

from node_agent.errors import PeerError
from node_agent.peers import server as server_module
from node_agent.peers.protocol import Reason
from node_agent.peers.versions import RANGE_HEADER, USED_HEADER, Versions, used
from tests.peers.swarm import Node, Swarm, envelope


@pytest.mark.parametrize(
    ("mine", "theirs", "common"),
    [
        ((1, 2), (1, 2), 2),
        ((1, 2), (1, 1), 1),
        ((1, 3), (2, 5), 3),
        ((2, 2), (1, 9), 2),
        ((1, 1), (2, 3), None),
        ((4, 5), (2, 3), None),
    ],
)
def test_the_highest_common_version_is_used(
    mine: tuple[int, int], theirs: tuple[int, int], common: int | None
) -> None:
    assert Versions(*mine).common(Versions(*theirs)) == common
    assert Versions(*theirs).common(Versions(*mine)) == common


@pytest.mark.parametrize("text", ["", "2", "1.1", "2-1", "0-1", "1-", "1-99999", "1-2 ", "x" * 99])
def test_a_garbled_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no range of versions"):
        Versions.said({RANGE_HEADER: text})
    with pytest.raises(ValueError, match="is no version"):
        used({USED_HEADER: "1-2"})


def test_who_says_nothing_is_of_before_ranges() -> None:
    assert Versions.said({}) == Versions(1, 1)
    assert used({}) == 1


async def uses(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch, speaks: dict[str, Versions]
) -> tuple[Node, Node, list[int]]:
    """Two nodes, and the versions of the requests that either has taken."""
    taken: list[int] = []

    def noted(headers: dict[str, str]) -> int:
        taken.append(used(headers))
        return taken[-1]

    monkeypatch.setattr(server_module, "used", noted)
    return (
        await swarm.join("a", speaks=speaks["a"]),
        await swarm.join("b", speaks=speaks["b"]),
        taken,
    )


async def test_the_caller_learns_from_a_refusal_and_remembers(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaks = {"a": Versions(1, 3), "b": Versions(1, 2)}
    a, b, taken = await uses(swarm, monkeypatch, speaks)
    for _ in range(2):
        await a.client.send(b.peer, envelope(), 5)
    await b.client.send(a.peer, envelope(), 5)
    assert taken == [3, 2, 2, 2], "one refusal; b has learned from what a said"
    assert len(b.shelf.received) == 2
    assert a.spoken.others == {b.name: Versions(1, 2)}
    assert b.spoken.others == {a.name: Versions(1, 3)}


async def test_what_a_peer_speaks_may_change_either_way(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, taken = await uses(swarm, monkeypatch, {"a": Versions(1, 3), "b": Versions(1, 1)})
    await a.client.status(b.peer, 5)
    b.spoken.own = Versions(2, 3)  # as after a restart with a newer release
    await a.client.status(b.peer, 5)
    b.spoken.own = Versions(1, 2)  # and back
    await a.client.status(b.peer, 5)
    assert taken == [3, 1, 1, 3, 3, 2]


@pytest.mark.parametrize(
    ("mine", "theirs", "older"),
    [(Versions(1, 1), Versions(2, 3), "this node"), (Versions(3, 4), Versions(1, 2), "b")],
)
async def test_without_a_common_version_the_error_names_both_and_who_is_older(
    swarm: Swarm, caplog: pytest.LogCaptureFixture, mine: Versions, theirs: Versions, older: str
) -> None:
    a, b = await swarm.join("a", speaks=mine), await swarm.join("b", speaks=theirs)
    for _ in range(2):
        with pytest.raises(
            PeerError, match=f"speaks versions {mine} .*{b.name} {theirs}"
        ) as caught:
            await a.client.send(b.peer, envelope(), 5)
        assert caught.value.reason == Reason.VERSION
        assert f"upgrade swarm-node at {b.name if older == 'b' else older}" in caught.value.hint
    assert not b.shelf.received
    warnings = [each for each in caplog.records if "peers' protocol" in each.getMessage()]
    assert len(warnings) == 2, "each side says it once in its log"
    a.spoken.own = b.spoken.own
    await a.client.send(b.peer, envelope(), 5)


async def test_only_newer_peers_are_asked_to_wait_for_a_file(swarm: Swarm, tmp_path: Path) -> None:
    a, b = await swarm.join("a"), await swarm.join("b", speaks=Versions(1, 1))
    content = b"x" * 99
    root = b.shelf.offer(tmp_path / "there", content)
    await a.client.fetch(b.peer, root, tmp_path / "here", 99, 5, wait_s=1.0)
    assert (tmp_path / "here").read_bytes() == content
    with pytest.raises(PeerError) as caught:
        await a.client.lay_line(b.peer)
    assert caught.value.reason == Reason.VERSION
    assert f"upgrade swarm-node at {b.name}" in caught.value.hint
