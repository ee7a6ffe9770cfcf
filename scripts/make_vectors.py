"""Write tests/vectors/hashes.json: hashes and signatures that every implementation must arrive at.

make_vectors.py            rewrite the file
make_vectors.py --check    fail if it would change
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from contracts import messages as m
from contracts.keys import Signer
from contracts.personal import personal_digest

VECTORS = Path(__file__).resolve().parents[1] / "tests" / "vectors"
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
CHAIN_ID = 31337
SIGNER = Signer(b"\x01" * 32)  # everybody has this key


def root(name: str) -> bytes:
    """Return 32 bytes that can be told apart at a glance."""
    return name.encode().ljust(32, b".")


def address(number: int) -> str:
    """Return an address that nobody holds."""
    return m.checksum_address(f"0x{number:040x}")


def samples() -> list[m.Struct]:
    """Return one plain and one extreme message of every type."""
    terms = m.Terms(
        initial_root=root("initial"),
        schema_hash=root("schema"),
        validation_root=root("validation"),
        sponsor=address(0xA11CE),
        budget=10**24,
        loss_ceiling=700_000_000,
        target_loss=50_000_000,
        min_samples=64,
        max_rounds=24,
        sync_frequency=8,
        stall_time=600,
        quorum_grace=2_000,
        leader_timeout=30_000,
        min_peers=2,
        merge_rule=0,
        metering=2,
    )
    largest = m.from_abi(
        m.Terms,
        (
            *(b"\xff" * 32,) * 3,
            address(2**160 - 1),
            *(2**128 - 1,) * 2,
            *(2**64 - 1,) * 2,
            -(2**63),
            2**64 - 1,
            *(2**32 - 1,) * 10,
            2**16 - 1,
            *(2**8 - 1,) * 7,
        ),
    )
    bylaws = m.Bylaws(penalty_recipient=address(0xC4A1), min_stake=10**20, votes=2)
    strictest = m.from_abi(
        m.Bylaws,
        (address(2**160 - 1), 2**128 - 1, *(2**32 - 1,) * 3, *(2**16 - 1,) * 3, 2**8 - 1),
    )
    parties = (
        m.Party("hospital-a", address(0xA), 1),
        m.Party("hospital-b", address(0xB), 1),
        m.Party("clinic-c", address(0xC), 2),
    )
    run, prev = root("run"), root("prev")
    return [
        terms,
        largest,
        bylaws,
        strictest,
        *parties,
        m.Agreement(
            document=root("document"), purpose="Early finding", trust_domain="swarm.example",
            not_before=1_767_225_600, not_after=1_798_761_600, bylaws=bylaws, terms=terms,
            parties=parties,
        ),
        m.Agreement(
            document=root("document"), purpose="Früherkennung — ⚕", trust_domain="x",
            previous=root("agreement"), version=2**32 - 1, not_before=0, not_after=2**64 - 1,
            bylaws=strictest, terms=largest, parties=(),
        ),
        m.Enrollment(
            root("agreement"), 1, "node-1", address(0x1E4), "https://b.example:9443", True,
            1_767_225_600, 0,
        ),
        m.Enrollment(root("agreement"), 65_535, "", address(1), "", False, 2**64 - 1, 2**256 - 1),
        m.Retirement(root("agreement"), 3, 1_767_225_600),
        m.TlsBinding(root("agreement"), root("spki"), 1_767_225_600),
        m.Leaving(root("agreement"), 1, 1_767_225_600),
        m.Motion(root("agreement"), 4, 1, address(0xB0B), 0, 1_767_225_600),
        m.Motion(root("agreement"), 0, 65_535, address(0), 2**256 - 1, 2**64 - 1),
        m.Move(root("agreement"), 1, address(0xB0B), 7, 1_767_225_600),
        m.Veto(root("agreement"), 1, address(0xB0B), 7, 1_767_225_600),
        m.Suspicion(root("agreement"), 1, 65_535, 2**32 - 1, 1_767_225_600),
        m.Alive(root("agreement"), 1, 1),
        m.RunRequest(
            agreement=root("agreement"), party=0, name="breast-cancer", salt=root("salt"),
            deadline=1_767_225_600,
        ),
        m.RunRequest(
            agreement=root("agreement"), party=65_535, name="", salt=bytes(32),
            generation=2**32 - 1, continues=root("run"), deadline=0,
        ),
        m.Update(run, 3, prev, 2, root("update"), 123_456, 812),
        m.Roster(run, 3, prev, 1, (0, 1, 2, 65_535), root("updates")),
        m.Roster(run, 3, prev, 0, (), root("updates")),
        m.Holdings(run, 3, prev, 1, 2, root("roster"), b"\x07"),
        m.Refusal(run, 3, prev, 1, 2, root("attestation"), "loss differs by 0.3"),
        m.Attestation(
            run, 3, prev, 1, root("roster"), root("merged"), 400_000_000, 300_000_000, 912_345_678,
            m.pack_shares([(0, 5_000), (1, 3_333), (2, 1_667)]), m.pack_rejects([(7, 4)]),
        ),
        m.Attestation(
            run, 0, prev, 0, bytes(32), root("initial"), 0, 2**64 - 1, -(2**63), b"", b"",
        ),
        m.Pardon(run, 1, 1_767_225_600, 2**256 - 1),
        m.Claim((run,), 1, address(0xB0B), 0, 1_767_225_600),
        m.Claim((run, root("second"), root("third")), 65_535, address(0xB0B), 9, 2**64 - 1),
        m.Delegation(root("agreement"), 1, address(0xC1A), address(0xB0B), 0, 1_767_225_600),
        m.Unlocking(root("agreement"), 1, 2**128 - 1, address(0xB0B), 3, 1_767_225_600),
        m.Pricing(run, 25 * 10**17, 1, 1_767_225_600),
        m.TaskRequest(
            root("agreement"), 1, 3, "train", "image", "model", root("body"), 4, 1_767_225_600,
        ),
        m.TaskRequest(root("agreement"), 0, 0, "", "", "", bytes(32), 0, 0),
        m.TaskChange(root("agreement"), 1, "train", 2, root("body"), 5, 1_767_225_600),
        m.TaskrunnerRequest(root("agreement"), 1, "gpus", 6, 1_767_225_600),
        m.Assignment(
            root("agreement"), 1, "gpus", "train", root("body"), 2, 0, 1, 65_535,
            1_767_312_000, 7, 1_767_225_600,
        ),
        m.ResetRequest(root("agreement"), 1, "gpus", 2**32 - 1, 8, 1_767_225_600),
        m.Permit(address(0xA), address(0xB), 10**21, 1, 2**256 - 1),
    ]  # fmt: skip


def text(value: bytes) -> str:
    return "0x" + value.hex()


def hashes() -> dict[str, Any]:
    """Return what hashes.json holds."""
    domain = m.Domain(CHAIN_ID, CONTRACT)
    attestations = [sample for sample in samples() if isinstance(sample, m.Attestation)]
    members = m.members_root(root("snapshot"), 0b1011)
    node = "spiffe://swarm.example/org/hospital-a/node/n1"
    changes = [
        (1, 1, 0, address(0x1E4), node, "https://a", True),
        (2, 1, 0, address(0x1E4), node, "https://a", True),
        (1, 2, 7, address(0x1E5), "spiffe://swarm.example/org/clinic-c/node/n1", "", False),
    ]  # fmt: skip
    names = (
        "breast-cancer",
        "x",
        "a-name-of-exactly-32-characters.",
        "a-name-of-33-characters-in-total.",
    )
    return {
        "cases": [
            {
                "type": type(sample).__name__,
                "domain": {"chain_id": domain.chain_id, "contract": domain.contract},
                "message": m.to_json(sample),
                "struct_hash": text(m.struct_hash(sample)),
                "digest": text(m.digest(domain, sample)),
                "signer": SIGNER.address,
                "signature": text(m.sign(domain, sample, SIGNER)),
            }
            for sample in samples()
        ],
        "personal": [
            {
                "text": said,
                "digest": text(personal_digest(said)),
                "signer": SIGNER.address,
                "signature": text(SIGNER.sign(personal_digest(said))),
            }
            for said in ("", "x", "Früherkennung — ⚕", "a line\nand another")
        ],
        "leader_rank": [
            {
                "run_id": text(root("run")),
                "round": round_,
                "merged_root": text(root("merged")),
                "organization": organization,
                "rank": text(m.leader_rank(root("run"), round_, root("merged"), organization)),
            }
            for round_, organization in ((0, "hospital-a"), (2**32 - 1, names[3]))
        ],
        "updates_root": [
            {"digests": [text(each) for each in digests], "root": text(m.updates_root(digests))}
            for digests in ([], [root("first")], [root("first"), root("second")])
        ],
        "members_root": [
            {
                "snapshot_root": text(root("snapshot")),
                "active": str(active),
                "members_root": text(m.members_root(root("snapshot"), active)),
            }
            for active in (0, 0b1011, 2**64 - 1)
        ],
        "prev": [
            {
                "kind": "first",
                "run_id": text(root("run")),
                "members_root": text(members),
                "prev": text(m.first_prev(root("run"), members)),
            },
            {
                "kind": "reopened",
                "prev_before": text(root("prev")),
                "members_root": text(members),
                "prev": text(m.reopened_prev(root("prev"), members)),
            },
            *(
                {
                    "kind": "next",
                    "attestation": m.to_json(each),
                    "members_root": text(members),
                    "prev": text(m.next_prev(each, members)),
                }
                for each in attestations
            ),
        ],
        "run_id": [
            {
                "chain_id": CHAIN_ID,
                "contract": CONTRACT,
                "agreement": text(root("agreement")),
                "name": name,
                "generation": generation,
                "salt": text(root("salt")),
                "run_id": text(
                    m.run_id(CHAIN_ID, CONTRACT, root("agreement"), name, generation, root("salt"))
                ),
            }
            for generation, name in enumerate(names)
        ],
        "snapshot_root": [
            {
                "root_before": text(root("agreement")),
                "change": change[0],
                "registration": change[1],
                "party": change[2],
                "key": change[3],
                "spiffe_id": change[4],
                "url": change[5],
                "may_lead": change[6],
                "root": text(m.next_snapshot_root(root("agreement"), *change)),
            }
            for change in changes
        ],
        "changed_snapshot_root": [
            {
                "root_before": text(root("agreement")),
                "change": change,
                "party": party,
                "root": text(m.changed_snapshot_root(root("agreement"), change, party)),
            }
            for change, party in ((3, 2), (4, 0), (5, 0), (6, 0), (7, 0))
        ],
    }


def main() -> int:
    """Write or check the file; return the exit status."""
    path = VECTORS / "hashes.json"
    fresh = json.dumps(hashes(), indent=1, ensure_ascii=False) + "\n"
    if sys.argv[1:] == ["--check"]:
        same = path.exists() and path.read_text(encoding="utf-8") == fresh
        print(f"{path.name} {'is' if same else 'is not'} what the code gives", file=sys.stderr)
        return 0 if same else 1
    path.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
