"""How nodes get in: tokens, certificate requests, two signatures, renewal, leases, heartbeats."""

from __future__ import annotations

import ssl
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from contracts.keys import new_key
from marketplace import errors
from marketplace.clock import now_s
from marketplace.identity import authority
from marketplace.leases import signing as leases
from tests.marketplace.nodes import Node, pem, request
from tests.marketplace.world import Federation, World, eventually


@pytest.fixture
def agreed(federation: Federation) -> Federation:
    federation.agree()
    return federation


def test_a_node_enrolls_in_two_steps_and_its_owner_approves_it(agreed: Federation) -> None:
    node = agreed.enroll("clinic-a")
    registered = agreed.world.on_chain(
        lambda contracts: contracts.consortium.registrations(bytes.fromhex(agreed.agreement_id[2:]))
    )
    assert [(each.key, each.spiffe_id) for each in registered] == [
        (node.key.address, "spiffe://swarm.example/org/clinic-a/node/site-1")
    ]
    with agreed.owner("clinic-b") as owner:
        assert [each["node"] for each in owner.nodes(agreed.agreement_id)] == ["site-1"]


def test_first_contact_brings_all_that_a_node_needs(agreed: Federation) -> None:
    node = agreed.invite("clinic-b")
    answer = node.first_contact().json()
    assert answer["spiffe_id"] == "spiffe://swarm.example/org/clinic-b/node/site-1"
    assert answer["agreement_id"] == agreed.agreement_id
    assert answer["party"] == 1
    assert answer["organization"] == "clinic-b"
    assert answer["deployment"] == agreed.world.deployment.to_json()
    assert answer["rpc_url"] == agreed.world.rpc_url
    lease = leases.verify(answer["lease"], answer["lease_public_key"])
    assert (lease.organization, lease.node) == ("clinic-b", answer["spiffe_id"])
    assert lease.issued_s < now_s() + 60 < lease.expires_s


def test_an_svid_names_the_node_and_nothing_that_the_request_asked_for(agreed: Federation) -> None:
    node = agreed.invite("clinic-a")
    node.csr_pem = request(node.tls_key, "spiffe://swarm.example/org/clinic-b/node/site-1")
    svid = x509.load_pem_x509_certificate(node.first_contact().json()["svid_pem"].encode())
    names = svid.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == ["spiffe://swarm.example/org/clinic-a/node/site-1"]
    assert not svid.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    lifetime = svid.not_valid_after_utc - svid.not_valid_before_utc
    assert 72 * 3600 <= lifetime.total_seconds() <= 73 * 3600
    assert len(svid.subject) == 0


def test_a_token_is_good_once_but_a_node_that_crashed_gets_its_answer_again(
    agreed: Federation,
) -> None:
    node = agreed.invite("clinic-a")
    first = node.first_contact().json()
    again = node.first_contact().json()
    assert again["enrollment"] == first["enrollment"]
    assert again["svid_pem"] == first["svid_pem"]
    thief = node.first_contact(key=new_key().address)
    assert thief.status_code == 403
    assert "used already" in thief.json()["detail"]
    other_request = node.first_contact(csr_pem=request(ec.generate_private_key(ec.SECP256R1())))
    assert other_request.status_code == 403


def test_a_token_that_nobody_made_is_refused(agreed: Federation) -> None:
    node = agreed.invite("clinic-a")
    answer = node.first_contact(secret="x" * 43)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert "hint" in answer.json()


def test_only_the_organization_and_admins_make_tokens(agreed: Federation) -> None:
    with (
        agreed.owner("clinic-b") as rival,
        pytest.raises(errors.NotAllowed, match="only the wallet of clinic-a"),
    ):
        rival.enrollment_token(agreed.agreement_id, "clinic-a", "site-9")
    with agreed.world.client(new_key()) as stranger, pytest.raises(errors.NotFound):
        stranger.enrollment_token(agreed.agreement_id, "clinic-a", "site-9")
    with agreed.world.client(agreed.world.admin) as admin:
        made = admin.enrollment_token(agreed.agreement_id, "clinic-a", "site-9")
    assert made["spiffe_id"].endswith("/org/clinic-a/node/site-9")


def test_no_node_gets_in_before_the_agreement_is_in_force(federation: Federation) -> None:
    federation.draft()
    answer = federation.invite("clinic-a").first_contact()
    assert answer.status_code == 409
    assert "not in force" in answer.json()["detail"]


def _of_rsa() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return pem(
        x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, SHA256())
    )


def _not_signed_by_its_key() -> str:
    text = request(ec.generate_private_key(ec.SECP256R1()))
    der = bytearray(ssl.PEM_cert_to_DER_cert(text.replace("CERTIFICATE REQUEST", "CERTIFICATE")))
    der[-5] ^= 1
    return ssl.DER_cert_to_PEM_cert(bytes(der)).replace("CERTIFICATE", "CERTIFICATE REQUEST")


@pytest.mark.parametrize(
    "csr_pem",
    [
        "rubbish",
        _of_rsa(),
        _not_signed_by_its_key(),
        request(ec.generate_private_key(ec.SECP256K1())),
        "A" * 20_000,
    ],
    ids=["rubbish", "rsa", "wrong signature", "weak curve", "too long"],
)
def test_a_bad_certificate_request_is_refused_and_does_not_use_the_token_up(
    agreed: Federation, csr_pem: str
) -> None:
    node = agreed.invite("clinic-a")
    refused = node.first_contact(csr_pem=csr_pem)
    assert refused.status_code == 422
    assert "certificate request" in refused.json()["detail"]
    assert node.first_contact().status_code == 200


def test_the_key_that_enrolls_has_to_sign(agreed: Federation) -> None:
    node = agreed.invite("clinic-a")
    node.first_contact()
    refused = node.sign(new_key())
    assert refused.status_code == 403
    assert "not a signature of the node's key" in refused.json()["detail"]
    with agreed.owner("clinic-a") as owner:
        waiting = owner.enrollments(agreed.agreement_id)[0]
        assert waiting["state"] == "awaiting-key"
        with pytest.raises(errors.Conflict, match="own key has not signed"):
            owner.approve(waiting)


def test_only_the_owner_approves(agreed: Federation) -> None:
    node = agreed.invite("clinic-a")
    node.first_contact()
    node.sign()
    with agreed.owner("clinic-b") as rival:
        waiting = rival.enrollments(agreed.agreement_id)[0]
        with pytest.raises(errors.WrongSignature, match="wallet of clinic-a"):
            rival.approve(waiting)


def test_two_nodes_of_an_organization_can_be_approved_in_any_order(agreed: Federation) -> None:
    first, second = (agreed.invite("clinic-a", name) for name in ("site-1", "site-2"))
    for node in (first, second):
        node.first_contact()
        node.sign()
    with agreed.owner("clinic-a") as owner:
        later = _of(owner.enrollments(agreed.agreement_id), second)
        operation = owner.approve(later)["operation"]
        agreed.approve("clinic-a", first)
        owner.wait(operation["id"])
        assert len(owner.nodes(agreed.agreement_id)) == 2


def test_a_used_key_cannot_enroll_again(agreed: Federation) -> None:
    used = agreed.enroll("clinic-a").key
    again = agreed.invite("clinic-a", "site-2").first_contact(key=used.address)
    assert again.status_code == 409
    assert "before" in again.json()["detail"]


def test_a_node_renews_its_own_svid_and_no_other(agreed: Federation) -> None:
    node = agreed.enroll("clinic-a")
    renewed = node.post("/agents/v1/renew", {"csr_pem": request(node.tls_key)})
    assert renewed.status_code == 200
    svid = x509.load_pem_x509_certificate(renewed.json()["svid_pem"].encode())
    names = svid.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == [node.answer["spiffe_id"]]

    for_another = request(node.tls_key, "spiffe://swarm.example/org/clinic-b/node/site-1")
    refused = node.post("/agents/v1/renew", {"csr_pem": for_another})
    assert refused.status_code == 403
    assert "cannot have a certificate for" in refused.json()["detail"]


def test_an_operator_may_correct_the_url_until_the_owner_approved(agreed: Federation) -> None:
    node = agreed.invite("clinic-a")
    first = node.first_contact(url="https://typo.example:7443").json()["enrollment"]
    node.sign()
    corrected = node.first_contact(url="https://node.example:7443").json()["enrollment"]
    assert corrected["id"] == first["id"]
    assert corrected["message"]["nonce"] == first["message"]["nonce"] == 0
    node.sign()
    agreed.approve("clinic-a", node)
    node.first_contact(url="https://late.example:7443")
    with agreed.owner("clinic-a") as owner:
        assert owner.nodes(agreed.agreement_id)[0]["url"] == "https://node.example:7443"


def test_a_retired_node_gets_no_more_svids_and_leases(agreed: Federation) -> None:
    node = agreed.enroll("clinic-a", "leaving")
    agreed.retire(0, "clinic-a")
    with agreed.owner("clinic-a") as owner:
        eventually(
            lambda: owner.nodes(agreed.agreement_id), lambda nodes: bool(nodes[0]["retired"])
        )
    for path, body in (("renew", {"csr_pem": node.csr_pem}), ("lease", {})):
        refused = node.post(f"/agents/v1/{path}", body)
        assert refused.status_code == 403
        assert "not enrolled" in refused.json()["detail"]


def test_renewal_without_a_certificate_is_refused(agreed: Federation) -> None:
    node = agreed.enroll("clinic-a")
    with node.client() as client:
        refused = client.post("/agents/v1/renew", json={"csr_pem": node.csr_pem})
    assert refused.status_code == 403
    assert "has to show its SVID" in refused.json()["detail"]


def test_renewal_with_an_expired_svid_is_refused(agreed: Federation) -> None:
    node = agreed.enroll("clinic-a")
    ours = authority.load(agreed.world.folder)
    then = now_s() - 1000
    expired = ours.issue_svid(node.csr_pem, node.answer["spiffe_id"], then, 500).pem
    with pytest.raises((httpx.TransportError, ssl.SSLError)):
        node.post("/agents/v1/renew", {"csr_pem": node.csr_pem}, expired)


def test_renewal_with_a_certificate_of_another_authority_is_refused(
    agreed: Federation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    node = agreed.enroll("clinic-a")
    foreign = authority.create(tmp_path_factory.mktemp("foreign"), "swarm.example", now_s())
    forged = foreign.issue_svid(node.csr_pem, node.answer["spiffe_id"], now_s(), 500).pem
    with pytest.raises((httpx.TransportError, ssl.SSLError)):
        node.post("/agents/v1/renew", {"csr_pem": node.csr_pem}, forged)


def test_renewal_by_a_node_that_never_enrolled_is_refused(agreed: Federation) -> None:
    node = agreed.enroll("clinic-a")
    ours = authority.load(agreed.world.folder)
    nobody = "spiffe://swarm.example/org/clinic-a/node/site-7"
    issued = ours.issue_svid(node.csr_pem, nobody, now_s(), 500).pem
    refused = node.post("/agents/v1/renew", {"csr_pem": node.csr_pem}, issued)
    assert refused.status_code == 403
    assert "not enrolled" in refused.json()["detail"]


def test_leases_are_renewed_and_cannot_be_forged(agreed: Federation) -> None:
    node = agreed.enroll("clinic-a")
    answer = node.post("/agents/v1/lease", {}).json()
    lease = leases.verify(answer["lease"], node.answer["lease_public_key"])
    assert lease.node == node.answer["spiffe_id"]
    payload, _, signature = answer["lease"].partition(".")
    for forged in (payload[:-2] + "AA." + signature, payload, "", "a.b"):
        with pytest.raises(errors.InvalidInput):
            leases.verify(forged, node.answer["lease_public_key"])


def test_the_last_heartbeat_of_a_node_is_shown(agreed: Federation) -> None:
    node = agreed.enroll("clinic-a")
    for state in ("waiting", "training"):
        answer = node.post("/agents/v1/status", {"state": state, "round": 3})
        assert answer.status_code == 204
    with agreed.owner("clinic-c") as owner:
        shown = _named(owner.nodes(agreed.agreement_id), node)
    assert shown["status"] == {"state": "training", "round": 3}
    assert not shown["silent"]


def test_a_heartbeat_may_not_be_long(agreed: Federation) -> None:
    node = agreed.enroll("clinic-a")
    assert node.post("/agents/v1/status", {"state": "x" * 20_000}).status_code == 422
    assert node.post("/agents/v1/status", {"state": "x" * 300_000}).status_code == 413


@pytest.mark.parametrize(
    "word",
    [
        '{"state": "\\ud800"}',
        '{"state": NaN, "round": 1}',
        '{"last": {"samples": 1' + "0" * 4000 + "}}",
        '{"extra": ' + "[" * 400 + "]" * 400 + "}",
    ],
    ids=["half-a-character", "no-number", "huge", "deep"],
)
def test_no_heartbeat_makes_the_nodes_unreadable_for_others(agreed: Federation, word: str) -> None:
    node = agreed.enroll("clinic-a")
    with node.client(node.answer["svid_pem"]) as client:
        said = client.post(
            "/agents/v1/status", content=word, headers={"Content-Type": "application/json"}
        )
    assert said.status_code in (204, 422)
    with agreed.owner("clinic-b") as owner:
        assert owner.nodes(agreed.agreement_id)


def test_a_replaced_node_cannot_go_on_in_the_name_of_its_successor(agreed: Federation) -> None:
    stolen, successor = agreed.enroll("clinic-a"), agreed.enroll("clinic-a")
    assert stolen.answer["spiffe_id"] == successor.answer["spiffe_id"]
    bodies = {"renew": {"csr_pem": stolen.csr_pem}, "lease": {}, "status": {"state": "training"}}
    for path, body in bodies.items():
        refused = stolen.post(f"/agents/v1/{path}", body)
        assert refused.status_code == 403
        assert "not enrolled" in refused.json()["detail"]
        assert successor.post(f"/agents/v1/{path}", body).is_success
    assert stolen.first_contact().status_code == 403


def test_a_ca_key_that_others_can_read_is_refused(world: World) -> None:
    file = world.folder / authority.KEY_FILE
    assert file.stat().st_mode & 0o777 == 0o600


def _of(enrollments: list[dict[str, Any]], node: Node) -> dict[str, Any]:
    return next(e for e in enrollments if e["id"] == node.answer["enrollment"]["id"])


def _named(nodes: list[dict[str, Any]], node: Node) -> dict[str, Any]:
    return next(each for each in nodes if each["spiffe_id"] == node.answer["spiffe_id"])


def test_an_owner_rejects_a_node_and_those_behind_it_go_on(agreed: Federation) -> None:
    stray, approved, late = (agreed.invite("clinic-a", f"site-{n}") for n in (1, 2, 3))
    for node in (stray, approved, late):
        assert node.first_contact().status_code == 200
        assert node.sign().status_code == 200
    numbers = [node.answer["enrollment"]["message"]["nonce"] for node in (stray, approved, late)]
    assert numbers == [0, 1, 2]
    with agreed.owner("clinic-a") as owner:
        waiting = {each["node"]: each for each in owner.enrollments(agreed.agreement_id)}
        operation = owner.approve(waiting["site-2"])["operation"]  # waits for site-1's turn
        with pytest.raises(errors.Conflict, match="approved already"):
            owner.reject(waiting["site-2"]["id"])
        turned_away = owner.reject(waiting["site-1"]["id"], "Not our machine.")
        assert turned_away["state"] == "rejected"
        assert owner.reject(waiting["site-1"]["id"])["rejected_because"] == "Not our machine."
        with pytest.raises(errors.ChainRefusal, match="rejected"):
            owner.wait(operation["id"])
        with pytest.raises(errors.NotAllowed, match="rejected this enrollment"):
            owner.approve(waiting["site-1"])
    with agreed.owner("clinic-b") as other, pytest.raises(errors.NotAllowed):
        other.reject(waiting["site-3"]["id"])
    refused = stray.first_contact()
    assert refused.status_code == 403
    assert "Not our machine." in refused.json()["detail"]
    for node in (approved, late):  # each operator repeats the command, and gets a number anew
        assert node.first_contact().status_code == 200
        assert node.sign().status_code == 200
        agreed.approve("clinic-a", node)
    with agreed.owner("clinic-a") as owner:
        enrolled = [each["node"] for each in owner.nodes(agreed.agreement_id)]
    assert sorted(enrolled) == ["site-2", "site-3"]
