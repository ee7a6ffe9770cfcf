// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IParticipation} from "../../contracts/interfaces/IParticipation.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Bits} from "../../contracts/libraries/Bits.sol";
import {SixOrganizations} from "./SixOrganizations.sol";

/// @dev Who sends what most reject.
contract StrikesTest is SixOrganizations {
    using Bits for uint64;

    function test_twoStrikesLeadToQuarantineFromTheNextRoundOn() public {
        ITraining.Attestation memory attested = attestation(runId, 0.5e9, "");
        attested.rejects = abi.encodePacked(uint16(5), SCHEMA);
        bytes memory all = signed(attested, first(5));
        vm.expectEmit(address(training.clerk()));
        emit IParticipation.Struck(runId, 1, 5);
        training.seal(attested, first(5), all);
        same(struckIn(5, 0), 1);
        same(active(), ALL);

        vm.warp(START + 60);
        attested = attestation(runId, 0.5e9, "");
        attested.rejects = abi.encodePacked(uint16(5), SCHEMA);
        all = signed(attested, first(5));
        vm.expectEmit(address(training.clerk()));
        emit IParticipation.Quarantined(runId, 5, uint64(START + 60) + QUARANTINE);
        training.seal(attested, first(5), all);
        same(until(5), START + 60 + QUARANTINE);
        same(active(), ALL.without(5));
        same(training.run(runId).quarantined, 32);
        // Its node is in the snapshot, but its signature counts for nothing.
        attested = attestation(runId, 0.5e9, "");
        uint16[] memory signers = new uint16[](4);
        (signers[0], signers[1], signers[2], signers[3]) = (0, 1, 2, 5);
        all = signed(attested, signers);
        expect(abi.encodeWithSelector(ITraining.Training_NoQuorum.selector, 3, 4));
        training.seal(attested, signers, all);
    }

    function test_moreThanTwoThirdsStrike() public {
        reject(5, SCHEMA, 4); // of six
        same(struckIn(5, 0), 0);
        reject(5, SCHEMA, 5);
        same(struckIn(5, 0), 2);
    }

    function test_severalNodesOfAnOrganizationAreOneVoice() public {
        uint16 more = enroll(id, 0, "n2");
        quiet();
        uint16[] memory signers = new uint16[](5);
        (signers[0], signers[1], signers[2], signers[3], signers[4]) = (0, 1, 2, 3, more);
        reject(abi.encodePacked(uint16(5), SCHEMA), signers);
        same(struckIn(5, 0), 0);
    }

    function test_aNodeThatWasNotReachedIsNotToBlame() public {
        reject(5, UNAVAILABLE, 6);
        same(struckIn(5, 0), 0);
    }

    function test_oneStrikeAnOrganizationAndRound() public {
        uint16 more = enroll(id, 5, "n2");
        quiet();
        bytes memory rejects = abi.encodePacked(uint16(4), UNAVAILABLE, uint16(5), SCHEMA, more, SCHEMA);
        reject(rejects, first(5));
        same(struckIn(5, 0), 2);
        same(struckIn(5, 1), 0);
        same(struckIn(4, 0), 0);
        same(training.run(runId).quarantined, 0);
    }

    function test_severalAreStruckAtOnce() public {
        bytes memory rejects = abi.encodePacked(uint16(4), SCHEMA, uint16(5), uint8(4));
        reject(rejects, first(6));
        reject(rejects, first(6));
        same(training.run(runId).quarantined, 48);
        same(active(), 15);
    }

    function test_strikesThatLieFartherApartAreForgiven() public {
        reject(5, SCHEMA, 5); // 1
        quiet();
        quiet();
        reject(5, SCHEMA, 5); // 4: three rounds are 2 to 4
        same(training.run(runId).quarantined, 0);
        quiet();
        reject(5, SCHEMA, 5); // 6: 4 to 6
        same(training.run(runId).quarantined, 32);
    }

    function test_aQuarantineEndsWithItsTime() public {
        reject(5, SCHEMA, 5);
        reject(5, SCHEMA, 5);
        vm.warp(START + QUARANTINE - 1);
        reject("", others(5));
        same(active(), ALL.without(5));
        vm.warp(START + QUARANTINE);
        same(training.run(runId).quarantined, 32);
        reject("", others(5));
        same(active(), ALL);
        same(training.run(runId).quarantined, 0);
        // It begins without strikes.
        reject(5, SCHEMA, 5);
        same(training.run(runId).quarantined, 0);
    }

    function test_aReopenedRoundCountsWhoseTimeIsOver() public {
        reject(5, SCHEMA, 5);
        reject(5, SCHEMA, 5);
        vm.warp(START + QUARANTINE);
        training.reopen(runId);
        same(active(), ALL);
    }

    function test_whoIsQuarantinedIsNotStruckFurther() public {
        reject(5, SCHEMA, 5);
        reject(5, SCHEMA, 5);
        reject(5, SCHEMA, 5);
        same(struckIn(5, 0), 0);
        same(until(5), START + QUARANTINE);
    }

    function test_aNodeThatIsNoMemberCannotBeRejected() public {
        ITraining.Attestation memory attested = attestation(runId, 0.5e9, "");
        attested.rejects = abi.encodePacked(uint16(6), SCHEMA);
        bytes memory all = signed(attested, first(5));
        uint32 version = training.run(runId).snapshotVersion;
        expect(abi.encodeWithSelector(IConsortium.Consortium_NotAMember.selector, 6, version));
        training.seal(attested, first(5), all);
    }

    function refuseRejects(bytes memory rejects, uint256 index) internal {
        ITraining.Attestation memory attested = attestation(runId, 0.5e9, "");
        attested.rejects = rejects;
        bytes memory all = signed(attested, first(5));
        expect(abi.encodeWithSelector(ITraining.Training_BadRejects.selector, index));
        training.seal(attested, first(5), all);
    }

    function test_rejectsAreWholeAndAscend() public {
        refuseRejects(abi.encodePacked(uint16(5), SCHEMA, uint16(5)), 1);
        refuseRejects(abi.encodePacked(uint16(5), SCHEMA, uint16(5), SCHEMA), 1);
        refuseRejects(abi.encodePacked(uint16(5), SCHEMA, uint16(4), SCHEMA), 1);
    }

    function test_whereTheTermsKnowNoStrikesNobodyIsStruck() public {
        IConsortium.Agreement memory agreement = draft(6);
        runId = begun(agreement, 6);
        for (uint256 i = 0; i < 3; ++i) {
            reject(5, SCHEMA, 6);
        }
        same(struckIn(5, 0), 0);
        same(active(), ALL);
    }

    function test_sixStrikesAreRemembered() public {
        IConsortium.Agreement memory agreement = strict(6);
        (agreement.terms.strikes, agreement.terms.strikeRounds) = (6, 11);
        runId = begun(agreement, 6);
        for (uint256 i = 0; i < 6; ++i) {
            same(training.run(runId).quarantined, 0);
            if (i != 0) quiet();
            reject(5, SCHEMA, 6);
        }
        same(training.run(runId).quarantined, 32);
    }

    function test_roundZeroStrikesNobody() public {
        IConsortium.Agreement memory agreement = strict(6);
        agreement.document = keccak256("another");
        agreement.terms.strikes = 1;
        runId = createRun(gathered(agreement, 6));
        reject(5, SCHEMA, 6);
        same(training.run(runId).round, 1);
        same(active(), ALL);
    }

    /// @dev By default more than half of the six parties have to seal.
    function test_aQuarantineNeverBringsARoundBelowItsQuorum() public {
        bytes memory two = abi.encodePacked(uint16(4), SCHEMA, uint16(5), SCHEMA);
        reject(two, first(5));
        reject(two, first(5));
        same(active(), 15);
        bytes memory third = abi.encodePacked(uint16(3), SCHEMA);
        reject(third, first(4));
        reject(third, first(4));
        // Three would be fewer than have to sign: all are counted again.
        same(training.run(runId).quarantined, 56);
        same(active(), ALL);
        sealRound(runId, 0.4e9, equalRow(6), 4);
    }

    function test_whoIsAwayDoesNotMakeAQuarantineStopTheRun() public {
        bytes memory two = abi.encodePacked(uint16(4), SCHEMA, uint16(5), SCHEMA);
        reject(two, first(5));
        reject(two, first(5));
        neighbors.setAway(id, 1);
        quiet();
        same(active(), ALL.without(0));
    }

    /// @dev Whoever is quarantined or away: fewer organizations than `minPeers`, or than half of those that are
    /// counted, never seal, and as many always do.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_aMinorityNeverSeals(uint256 minPeers, uint64 bad, uint64 away, uint64 who) public {
        IConsortium.Agreement memory agreement = strict(6);
        agreement.document = keccak256("fuzz");
        (agreement.terms.strikes, agreement.terms.minPeers) = (1, uint16(minPeers % 7));
        runId = begun(agreement, 6);
        bad &= ALL;
        away &= ALL;
        bytes memory rejects;
        for (uint16 p = 0; p < 6; ++p) {
            if (bad.has(p)) rejects = bytes.concat(rejects, abi.encodePacked(p, SCHEMA));
        }
        neighbors.setAway(training.agreementOf(runId), away);
        reject(rejects, first(6));

        uint256 least = minPeers % 7 == 0 ? 4 : minPeers % 7;
        uint64 present = ALL & ~away;
        uint64 counted = (present & ~bad).count() >= least ? present & ~bad : present;
        same(active(), counted);

        uint16[] memory signers = new uint16[](6);
        uint256 count = 0;
        for (uint16 p = 0; p < 6; ++p) {
            if (who >> p & 1 == 1) signers[count++] = p;
        }
        assembly {
            mstore(signers, count)
        }
        uint64 signing = uint64(who) & counted;
        uint256 needed = counted.count() / 2 + 1 > least ? counted.count() / 2 + 1 : least;
        ITraining.Attestation memory attested = attestation(runId, 0.5e9, "");
        bytes memory all = signed(attested, signers);
        if (signing.count() < needed) {
            expect(abi.encodeWithSelector(ITraining.Training_NoQuorum.selector, signing.count(), needed));
            training.seal(attested, signers, all);
        } else {
            training.seal(attested, signers, all);
            same(training.run(runId).round, 3);
        }
    }
}
