// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {LocalSwarm} from "./LocalSwarm.sol";

/// @dev When a run is over, and what that has to do with pay.
contract StoppingTest is LocalSwarm {
    uint8 internal constant LOSS = 0;
    uint8 internal constant LOWEST_METRIC = 1;
    uint8 internal constant HIGHEST_METRIC = 2;
    uint8 internal constant PER_ROUND = 1;

    function begun(IConsortium.Agreement memory agreement) internal returns (bytes32 runId) {
        runId = createRun(gathered(agreement, 3));
        fund(runId, FUNDS);
    }

    function watching(uint8 stopping, int64 target, uint32 patience)
        internal
        pure
        returns (IConsortium.Agreement memory agreement)
    {
        agreement = draft(3);
        agreement.terms.stopping = stopping;
        agreement.terms.targetMetric = target;
        agreement.terms.patience = patience;
        agreement.terms.maxRounds = 10;
    }

    /// @dev One round with this loss and this metric, paid unless void.
    function round(bytes32 runId, uint64 loss, int64 metric, bool void_) internal {
        bytes memory row = void_ || training.run(runId).round == 0 ? bytes("") : equalRow(3);
        ITraining.Attestation memory attested = attestation(runId, loss, row);
        attested.metric = metric;
        seal(attested, first(2));
    }

    function goesOn(bytes32 runId) internal view {
        so(training.run(runId).state == ITraining.State.Open);
    }

    function endedBy(bytes32 runId, ITraining.Ending ending) internal view {
        ITraining.Run memory run = training.run(runId);
        so(run.state == ITraining.State.Finished);
        so(run.ending == ending);
    }

    function test_theHighestMetricIsWaitedFor() public {
        bytes32 runId = begun(watching(HIGHEST_METRIC, 0.9e9, 0));
        round(runId, 0.6e9, 0.5e9, false);
        round(runId, 0, 0.899e9, false); // the loss is at its target, which is not asked for
        goesOn(runId);
        round(runId, 0.5e9, 0.9e9, false);
        endedBy(runId, ITraining.Ending.TargetReached);
    }

    function test_theLowestMetricIsWaitedFor() public {
        bytes32 runId = begun(watching(LOWEST_METRIC, -1, 0));
        round(runId, 0.6e9, 5, false);
        round(runId, 0.5e9, 0, false);
        goesOn(runId);
        round(runId, 0.5e9, -1, true);
        endedBy(runId, ITraining.Ending.TargetReached);
    }

    function test_aRunThatStartsAtTheTargetEndsUnpaid() public {
        bytes32 runId = begun(watching(HIGHEST_METRIC, 0.9e9, 0));
        round(runId, 0.6e9, 0.95e9, false);
        endedBy(runId, ITraining.Ending.TargetReached);
        same(rewards.pool(runId).credited, 0);
    }

    function test_nothingVestsWhereTheLossWasAtItsTargetBeforeTheFirstRound() public {
        bytes32 runId = begun(watching(HIGHEST_METRIC, 0.9e9, 0));
        round(runId, TARGET, 0.5e9, false);
        round(runId, 0, 0.6e9, false);
        same(rewards.pool(runId).credited, 0);
        IConsortium.Agreement memory agreement = watching(HIGHEST_METRIC, 0.9e9, 0);
        agreement.terms.budgetRule = PER_ROUND;
        runId = begun(agreement);
        round(runId, TARGET, 0.5e9, false);
        round(runId, 0, 0.6e9, false);
        same(rewards.pool(runId).credited, 0);
    }

    function test_patienceCountsRoundsWithoutALowerLoss() public {
        bytes32 runId = begun(watching(LOSS, 0, 3));
        round(runId, 0.6e9, 0, false);
        same(training.run(runId).idleRounds, 0);
        round(runId, 0.6e9, 0, false); // not strictly better
        round(runId, 0.61e9, 0, false);
        same(training.run(runId).idleRounds, 2);
        round(runId, 0.599e9, 0, false);
        same(training.run(runId).idleRounds, 0);
        round(runId, 0.599e9, 0, false);
        round(runId, 0.7e9, 0, false);
        goesOn(runId);
        round(runId, 0.599e9, 0, false);
        endedBy(runId, ITraining.Ending.Patience);
        same(training.run(runId).round, 6);
    }

    function test_aVoidRowImprovesNothing() public {
        bytes32 runId = begun(watching(LOSS, 0, 2));
        round(runId, 0.6e9, 0, false);
        round(runId, 0.5e9, 0, true);
        round(runId, 0.4e9, 0, true);
        endedBy(runId, ITraining.Ending.Patience);
        same(training.run(runId).bestLoss, 0.6e9);
        same(training.run(runId).paidRounds, 0);
    }

    function test_whatIsAboveTheCeilingIsNoStartToImproveOn() public {
        bytes32 runId = begun(watching(LOSS, 0, 2));
        round(runId, 2e9, 0, false);
        round(runId, 1e9, 0, false);
        round(runId, 0.8e9, 0, false);
        endedBy(runId, ITraining.Ending.Patience);
    }

    function test_patienceCountsRoundsWithoutABetterMetric() public {
        bytes32 runId = begun(watching(HIGHEST_METRIC, 0.9e9, 2));
        round(runId, 0.6e9, 0.5e9, false);
        round(runId, 0.5e9, 0.5e9, false); // a lower loss is no higher metric
        round(runId, 0.5e9, 0.6e9, false);
        same(training.run(runId).idleRounds, 0);
        so(training.run(runId).bestMetric == 0.6e9);
        round(runId, 0.5e9, 0.7e9, true);
        so(training.run(runId).bestMetric == 0.6e9);
        round(runId, 0.4e9, 0.6e9, false);
        endedBy(runId, ITraining.Ending.Patience);

        runId = begun(watching(LOWEST_METRIC, -2, 2));
        round(runId, 0.6e9, 3, false);
        round(runId, 0.6e9, 2, false);
        round(runId, 0.6e9, -1, false);
        round(runId, 0.6e9, -1, false);
        goesOn(runId);
        round(runId, 0.6e9, 0, false);
        endedBy(runId, ITraining.Ending.Patience);
    }

    function test_withoutPatienceARunGoesOnToItsLastRound() public {
        bytes32 runId = begun(watching(LOSS, 0, 0));
        for (uint256 i = 0; i <= 10; ++i) {
            goesOn(runId);
            round(runId, 0.6e9, 0, false);
        }
        endedBy(runId, ITraining.Ending.RoundsDone);
    }

    function test_theTargetComesFirstThenTheLastRoundThenPatience() public {
        IConsortium.Agreement memory agreement = watching(LOSS, 0, 2);
        agreement.terms.maxRounds = 2;
        bytes32 runId = begun(agreement);
        round(runId, 0.6e9, 0, false);
        round(runId, 0.6e9, 0, false);
        round(runId, 0.6e9, 0, false);
        endedBy(runId, ITraining.Ending.RoundsDone);
        agreement.document = keccak256("another");
        runId = begun(agreement);
        round(runId, 0.6e9, 0, false);
        round(runId, 0.6e9, 0, false);
        round(runId, TARGET, 0, true);
        endedBy(runId, ITraining.Ending.TargetReached);
    }

    function test_aFixedAmountForEachPaidRound() public {
        IConsortium.Agreement memory agreement = watching(LOSS, 0, 0);
        agreement.terms.budgetRule = PER_ROUND;
        bytes32 runId = begun(agreement);
        round(runId, 0.6e9, 0, false);
        round(runId, 0.65e9, 0, false);
        uint256 first_ = uint256(FUNDS) / 10 * 9999 / 10_000;
        same(rewards.pool(runId).credited, first_ / 3 * 3);
        round(runId, 0.3e9, 0, true);
        same(training.run(runId).paidRounds, 1);
        same(rewards.pool(runId).credited, first_ / 3 * 3);
        round(runId, 0.65e9, 0, false);
        same(training.run(runId).paidRounds, 2);
        uint256 second = (uint256(FUNDS) * 2 / 10 - first_ / 3 * 3) * 3333 / 10_000;
        same(rewards.pool(runId).credited, first_ / 3 * 3 + 3 * second);
        // At the target, what was not trained for is not paid.
        round(runId, TARGET, 0, false);
        endedBy(runId, ITraining.Ending.TargetReached);
        so(rewards.pool(runId).credited <= uint256(FUNDS) * 3 / 10);
        so(rewards.refund(runId) >= uint256(FUNDS) * 7 / 10);
    }

    function test_whatTheMetricStopsTheLossPays() public {
        bytes32 runId = begun(watching(HIGHEST_METRIC, 0.9e9, 0));
        round(runId, 0.7e9, 0.5e9, false);
        round(runId, 0.4e9, 0.1e9, false);
        so(rewards.pool(runId).credited > uint256(FUNDS) / 2 * 9998 / 10_000);
    }

    // Under `local`, rows say what is watched; see LocalRowsTest for the target loss.

    function localRun(uint8 stopping, int64 target, uint32 patience) internal returns (bytes32 runId) {
        IConsortium.Agreement memory agreement = localDraft(4);
        agreement.terms.stopping = stopping;
        agreement.terms.targetMetric = target;
        agreement.terms.patience = patience;
        runId = createRun(gathered(agreement, 4));
        fund(runId, FUNDS);
        start(runId, 0.6e9, 4);
    }

    function test_patienceCountsRoundsThatDoNotRaiseTheSumOfGains() public {
        bytes32 runId = localRun(LOSS, 0, 2);
        sealBy(runId, first(4), abstentions(4, 0.6e9, 0.5e9)); // + 0.1
        same(training.run(runId).idleRounds, 0);
        sealBy(runId, first(4), abstentions(4, 0.5e9, 0.6e9)); // - 0.1
        same(training.run(runId).idleRounds, 0);
        sealBy(runId, first(4), abstentions(4, 0.6e9, 0.5e9)); // + 0.1
        same(training.run(runId).idleRounds, 1);
        goesOn(runId);
        // What ends it is the round before: 0.1 in all, not more than there was.
        sealBy(runId, first(4), abstentions(4, 0.5e9, 0.2e9));
        ITraining.Run memory run = training.run(runId);
        so(run.state == ITraining.State.Settling);
        so(run.ending == ITraining.Ending.Patience);
        same(run.round, 4);
        same(run.bestLoss, 0.5e9);
        vm.warp(START + 600);
        training.settle(runId);
        same(training.run(runId).bestLoss, 0.2e9);
    }

    function test_moreThanHalfOfTheMetricsAreWaitedFor() public {
        bytes32 runId = localRun(HIGHEST_METRIC, 0.95e9, 0);
        ITraining.Row[] memory rows = abstentions(4, 0.6e9, 0);
        (rows[0].metric, rows[1].metric) = (0.95e9, 1e9);
        sealBy(runId, first(4), rows);
        goesOn(runId);
        rows[3].metric = 0.96e9;
        sealBy(runId, first(4), rows);
        so(training.run(runId).ending == ITraining.Ending.TargetReached);
    }

    function test_anOrganizationIsAtTheTargetOnce() public {
        bytes32 runId = localRun(HIGHEST_METRIC, 0.95e9, 0);
        bytes32 id = training.agreementOf(runId);
        for (uint256 i = 0; i < 3; ++i) {
            enroll(id, 0, string.concat("more-", vm.toString(i)));
        }
        sealBy(runId, first(4), abstentions(4, 0, 0));
        ITraining.Row[] memory rows = abstentions(4, 0, 0);
        ITraining.Row[] memory all = new ITraining.Row[](7);
        for (uint256 i = 0; i < 7; ++i) {
            all[i] = row(0, 0, rows[0].shares);
            if (i != 1 && i != 2 && i != 3) all[i].metric = 1e9;
        }
        sealBy(runId, first(7), all);
        goesOn(runId);
    }
}
