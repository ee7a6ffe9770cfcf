// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStakes} from "../../contracts/interfaces/IStakes.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Trial} from "./Trial.sol";

/// @dev Nothing that an honest node ever signs can be held against it.
contract HonestyTest is Trial {
    function test_aRestartedNodeThatSendsTheSameAgainIsHonest() public {
        IStakes.Update memory a = update(runId, 1, "a");
        refuse(
            a, update(runId, 1, "a"), 1, abi.encodeWithSelector(IStakes.Stakes_SameMessage.selector, this.hashUpdate(a))
        );
        IStakes.Roster memory b = roster(runId, 0, 3, "a");
        refuse(
            b, roster(runId, 0, 3, "a"), abi.encodeWithSelector(IStakes.Stakes_SameMessage.selector, this.hashRoster(b))
        );
        ITraining.Attestation memory c = attestation(runId, 0.4e9, equalRow(3));
        refuse(c, c, abi.encodeWithSelector(IStakes.Stakes_SameMessage.selector, this.hashAttestation(c)));
    }

    function test_aNodeThatServesTwoTermsIsHonest() public {
        refuse(roster(runId, 0, 3, "a"), roster(runId, 1, 2, "b"), noContradiction());
        ITraining.Attestation memory a = attestation(runId, 0.4e9, equalRow(3));
        ITraining.Attestation memory b = attestation(runId, 0.5e9, "");
        b.term = 1;
        refuse(a, b, noContradiction());
    }

    function test_aNodeInTwoRoundsIsHonest() public {
        IStakes.Update memory a = update(runId, 0, "a");
        IStakes.Roster memory b = roster(runId, 0, 3, "a");
        ITraining.Attestation memory c = attestation(runId, 0.5e9, equalRow(3));
        sealRound(runId, 0.5e9, equalRow(3), 3);
        refuse(a, update(runId, 0, "b"), 0, noContradiction());
        refuse(b, roster(runId, 0, 2, "a"), noContradiction());
        refuse(c, attestation(runId, 0.4e9, equalRow(3)), noContradiction());
    }

    function test_aNodeInARoundThatWasReopenedIsHonest() public {
        IStakes.Update memory a = update(runId, 0, "a");
        IStakes.Roster memory b = roster(runId, 0, 3, "a");
        ITraining.Attestation memory c = attestation(runId, 0.5e9, equalRow(3));
        vm.warp(START + 601);
        training.reopen(runId);
        refuse(a, update(runId, 0, "b"), 0, noContradiction());
        refuse(b, roster(runId, 0, 2, "a"), noContradiction());
        refuse(c, attestation(runId, 0.4e9, equalRow(3)), noContradiction());
    }

    /// @dev A reorganization changes `prev`, or leads back to the one that was there, for which the node has its messages.
    function test_aNodeThatSeesAReorganizationIsHonest() public {
        IStakes.Update memory before = update(runId, 0, "a");
        IStakes.Update memory elsewhere = update(runId, 0, "b");
        elsewhere.prev = keccak256("the other branch");
        refuse(before, elsewhere, 0, noContradiction());
        refuse(
            before,
            update(runId, 0, "a"),
            0,
            abi.encodeWithSelector(IStakes.Stakes_SameMessage.selector, this.hashUpdate(before))
        );
    }

    function test_aNodeInTwoRunsIsHonest() public {
        bytes32 other = createRun(request(id, "other"), WALLET);
        IStakes.Update memory a = update(runId, 0, "a");
        IStakes.Update memory b = update(other, 0, "b");
        (b.round, b.prev) = (a.round, a.prev);
        refuse(a, b, 0, noContradiction());
    }

    function test_aNodeThatChangesItsKeyIsHonest() public {
        IStakes.Update memory a = update(runId, 1, "a");
        bytes memory signatureA = node(runId, 1, this.hashUpdate(a));
        uint16 renewed = enroll(id, 1, "n1");
        IStakes.Update memory b = update(runId, renewed, "b");
        bytes memory signatureB = node(runId, renewed, this.hashUpdate(b));
        // Under its own number it is another node.
        expect(noContradiction());
        stakes.slashUpdates(address(training), 1, a, b, signatureA, signatureB);
        // What the new key signs for the old number is not the old node's.
        b.registration = 1;
        signatureB = node(runId, renewed, this.hashUpdate(b));
        expectWrongSignature(1, renewed);
        stakes.slashUpdates(address(training), 1, a, b, signatureA, signatureB);
        // Rosters name no node; they are told apart by the key.
        IStakes.Roster memory c = roster(runId, 0, 3, "c");
        IStakes.Roster memory d = roster(runId, 0, 3, "d");
        (signatureA, signatureB) = (node(runId, 1, this.hashRoster(c)), node(runId, renewed, this.hashRoster(d)));
        expectWrongSignature(1, renewed);
        stakes.slashRosters(address(training), 1, c, d, signatureA, signatureB);
    }

    function test_twoNodesOfAnOrganizationAreHonest() public {
        uint16 second = enroll(id, 1, "n2");
        ITraining.Attestation memory a = attestation(runId, 0.4e9, equalRow(3));
        ITraining.Attestation memory b = attestation(runId, 0.5e9, equalRow(3));
        bytes memory signatureA = node(runId, 1, this.hashAttestation(a));
        bytes memory signatureB = node(runId, second, this.hashAttestation(b));
        expectWrongSignature(1, second);
        stakes.slashAttestations(address(training), 1, a, b, signatureA, signatureB);
    }

    /// @dev Whatever two messages say: only what names the same run, round, `prev` and term is held against its signer.
    function testFuzz_onlyAContradictionIsProven(uint8 differ, bytes32 noise) public {
        ITraining.Attestation memory a = attestation(runId, 0.4e9, equalRow(3));
        ITraining.Attestation memory b = attestation(runId, 0.4e9, equalRow(3));
        if (differ & 1 != 0) b.runId = noise;
        if (differ & 2 != 0) b.round = a.round + 1 + uint8(uint256(noise));
        if (differ & 4 != 0) b.prev = keccak256(abi.encode(noise));
        if (differ & 8 != 0) b.term = a.term + 1 + uint8(uint256(noise));
        if (differ & 16 != 0) b.mergedRoot = noise;
        if (differ & 32 != 0) b.metric = a.metric + 1;
        if (differ & 64 != 0) b.shares = "";
        if (differ & 128 != 0) b.rejects = hex"000206";
        bytes memory signatureA = node(runId, 0, this.hashAttestation(a));
        bytes memory signatureB = node(runId, 0, this.hashAttestation(b));
        bool contradiction = differ & 15 == 0 && differ & 240 != 0;
        if (!contradiction) vm.expectRevert();
        stakes.slashAttestations(address(training), 0, a, b, signatureA, signatureB);
        same(stakes.stake(id, 0).locked, contradiction ? STAKE / 2 : STAKE);
    }
}
