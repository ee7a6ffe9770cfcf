// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Voting} from "./Voting.sol";

/// @dev Who has no stake, and who does not answer.
contract ParticipationTest is Voting {
    function staked() internal returns (bytes32 id) {
        IConsortium.Agreement memory agreement = draft(4);
        agreement.bylaws.minStake = 1;
        id = gathered(agreement, 4);
    }

    function test_whereAStakeIsAskedForWhoHasNoneIsNotCounted() public {
        bytes32 id = staked();
        neighbors.setStaked(id, 11);
        bytes32 runId = createRun(id);
        same(training.run(runId).active, 11);
        neighbors.setStaked(id, 14);
        sealRound(runId, CEILING, "", 4);
        same(training.run(runId).active, 14);
        ITraining.Attestation memory attested = attestation(runId, 0.5e9, equalRow(4));
        bytes memory all = signed(attested, first(4));
        expect(abi.encodeWithSelector(ITraining.Training_BadShares.selector, 0));
        training.seal(attested, first(4), all);
    }

    function test_whereNoStakeIsAskedForNobodyNeedsOne() public {
        bytes32 runId = createRun(gathered(4));
        same(training.run(runId).active, 15);
    }

    function test_whoIsAwayIsLeftOutOfTheNextRoundAndBackAtOnce() public {
        bytes32 id = gathered(4);
        bytes32 runId = createRun(id);
        neighbors.setAway(id, 2);
        same(training.run(runId).active, 15);
        sealRound(runId, CEILING, "", 3);
        same(training.run(runId).active, 13);
        neighbors.setAway(id, 0);
        sealRound(runId, 0.5e9, "", 4);
        same(training.run(runId).active, 15);
    }

    function test_aReopeningEvictsNobody() public {
        bytes32 id = gathered(4);
        bytes32 runId = createRun(id);
        sealRound(runId, CEILING, "", 3);
        neighbors.setAway(id, 14);
        vm.warp(START + 600);
        training.reopen(runId);
        same(training.run(runId).active, 15);
        // Who was left out when the round opened stays so, unless it is back.
        sealRound(runId, 0.5e9, "", 3);
        same(training.run(runId).active, 1);
        neighbors.setAway(id, 10);
        training.reopen(runId);
        same(training.run(runId).active, 5);
    }

    function test_theNameOfARoundTellsWhoIsCounted() public {
        bytes32 id = gathered(4);
        neighbors.setAway(id, 2);
        bytes32 runId = createRun(id);
        bytes32 root = consortium.latestSnapshot(id).root;
        bytes32 membersRoot_ = keccak256(abi.encode(root, uint64(13)));
        same(training.run(runId).prev, keccak256(abi.encode(runId, membersRoot_)));
    }

    function test_everyRoundThatOpensTellsWhoIsCounted() public {
        bytes32 id = gathered(4);
        bytes32 runId = createRun(id);
        neighbors.setAway(id, 2);
        ITraining.Attestation memory attested = attestation(runId, CEILING, "");
        bytes memory all = signed(attested, first(3));
        bytes32 root = consortium.latestSnapshot(id).root;
        bytes32 next = keccak256(
            abi.encode(
                runId,
                uint32(0),
                bytes32(0),
                attested.mergedRoot,
                attested.lossBefore,
                attested.lossAfter,
                attested.metric,
                keccak256(""),
                keccak256(abi.encode(root, uint64(13)))
            )
        );
        vm.expectEmit(address(training));
        emit ITraining.RoundOpened(runId, 1, next, 4, 13);
        training.seal(attested, first(3), all);
    }
}
