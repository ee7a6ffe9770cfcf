// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Swarm} from "./Swarm.sol";

/// @dev Round 0 measures where everybody starts.
contract StartTest is Swarm {
    bytes32 internal runId;

    function setUp() public override {
        super.setUp();
        runId = createRun(gathered(3));
        fund(runId, FUNDS);
    }

    function refuse(ITraining.Attestation memory attested) internal {
        bytes memory all = signed(attested, first(3));
        expect(
            abi.encodeWithSelector(ITraining.Training_NotTheStart.selector, terms().initialRoot, attested.mergedRoot)
        );
        training.seal(attested, first(3), all);
    }

    function test_startsFromTheModelOfTheTermsUnpaid() public {
        ITraining.Attestation memory attested = attestation(runId, 0.6e9, "");
        attested.mergedRoot = keccak256("another");
        refuse(attested);
        attested = attestation(runId, 0.6e9, "");
        attested.rosterRoot = keccak256("roster");
        refuse(attested);
        refuse(attestation(runId, 0.6e9, equalRow(3)));
    }

    function test_theInitialLossIsWhatWasMeasured() public {
        sealRound(runId, 0.6e9, "", 2);
        ITraining.Run memory run = training.run(runId);
        same(run.initialLoss, 0.6e9);
        same(run.bestLoss, 0.6e9);
        same(run.mergedRoot, terms().initialRoot);
        same(run.round, 1);
    }

    function test_theInitialLossIsNeverAboveTheCeiling() public {
        sealRound(runId, type(uint64).max, "", 2);
        ITraining.Run memory run = training.run(runId);
        same(run.initialLoss, CEILING);
        same(run.bestLoss, CEILING);
        same(run.lastLoss, type(uint64).max);
    }

    function test_endsUnpaidWhereNothingIsLeftToLearn() public {
        sealRound(runId, TARGET, "", 2);
        so(training.run(runId).state == ITraining.State.Finished);
        same(rewards.pool(runId).credited, 0);
        rewards.refund(runId);
        same(token.balanceOf(SPONSOR), FUNDS);
    }
}

/// @dev A split that is agreed to be equal is equal.
contract EqualSplitTest is Swarm {
    bytes32 internal runId;

    function setUp() public override {
        super.setUp();
        IConsortium.Agreement memory agreement = draft(3);
        agreement.terms.metering = 0;
        runId = createRun(gathered(agreement, 3));
        sealRound(runId, CEILING, "", 3);
    }

    function test_aThirdEach() public {
        sealRound(runId, 0.5e9, equalRow(3), 3);
    }

    function test_allToTheOnlyOne() public {
        sealRound(runId, 0.5e9, share(1, 10_000), 3);
    }

    function test_refusesAnythingElse() public {
        ITraining.Attestation memory attested =
            attestation(runId, 0.5e9, bytes.concat(share(0, 3333), share(1, 3333), share(2, 3334)));
        bytes memory all = signed(attested, first(3));
        expect(abi.encodeWithSelector(ITraining.Training_NotEqual.selector, 2, 3333, 3334));
        training.seal(attested, first(3), all);
    }
}
