// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ILocalRows} from "../../contracts/interfaces/ILocalRows.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {FiveOrganizations} from "./FiveOrganizations.sol";

/// @dev How runs under `local` end, and what becomes of their last round.
contract LocalEndsTest is FiveOrganizations {
    function test_theTargetIsReachedWhenMoreThanHalfSaySo() public {
        ITraining.Row[] memory rows = abstentions(5, 0.6e9, 0.5e9);
        (rows[0].lossAfter, rows[1].lossAfter) = (TARGET, 0);
        sealBy(runId, first(5), rows);
        so(training.run(runId).state == ITraining.State.Open);
        rows[4].lossAfter = TARGET;
        ITraining.Attestation memory attested = common(runId);
        ITraining.Votes memory all = votes(attested, first(5), rows);
        ITraining.Attestation memory before = lastSealed(runId);
        vm.expectEmit(address(training));
        emit ITraining.Ended(runId, 2, ITraining.Ending.TargetReached);
        training.sealLocal(attested, all, before, nobody());
        so(training.run(runId).state == ITraining.State.Settling);
        same(training.run(runId).prev, 0);
        same(training.run(runId).round, 2);
    }

    function test_twoOfTheThreeThatSealAreNotHalfOfFive() public {
        ITraining.Row[] memory rows = three(bipsOf(0, 0, 0, 0, 0));
        (rows[0].lossAfter, rows[1].lossAfter) = (0, 0);
        sealBy(runId, first(3), rows);
        so(training.run(runId).state == ITraining.State.Open);
    }

    function ended() internal {
        ITraining.Row[] memory rows = three(bipsOf(0, 0, 0, 0, 0));
        for (uint256 i = 0; i < 3; ++i) {
            rows[i].lossAfter = TARGET;
        }
        sealBy(runId, first(3), rows);
    }

    /// @dev Two of three are where the run may stop; the third has no data, and says the metric is zero.
    function test_whoHasNoDataIsNotAtTheTarget() public {
        IConsortium.Agreement memory agreement = localDraft(5);
        agreement.document = keccak256("lowest");
        (agreement.terms.stopping, agreement.terms.targetMetric) = (1, 0.05e9);
        bytes32 other = createRun(gathered(agreement, 5));
        start(other, 0.6e9, 5);
        ITraining.Row[] memory rows = three(bipsOf(0, 0, 0, 0, 0));
        (rows[0].metric, rows[1].metric, rows[2].metric) = (0.05e9, 0.01e9, 0);
        rows[2].lossAfter = type(uint64).max;
        sealBy(other, first(3), rows);
        so(training.run(other).state == ITraining.State.Open);
        rows[2].lossAfter = 0.5e9;
        sealBy(other, first(3), rows);
        so(training.run(other).ending == ITraining.Ending.TargetReached);
    }

    function test_theLastRoundIsSettledWhenItsTimeIsOver() public {
        expect(abi.encodeWithSelector(ITraining.Training_WrongState.selector, runId, ITraining.State.Open));
        training.settle(runId);
        vm.warp(START + 60);
        ended();
        expect(abi.encodeWithSelector(ITraining.Training_RowsMissing.selector, START + 660));
        training.settle(runId);
        so(!rewards.pool(runId).closed);
        addRows(runId, who(3), one(row(0.6e9, TARGET, bipsOf(0, 0, 0, 0, 2500))));
        expect(abi.encodeWithSelector(ITraining.Training_RowsMissing.selector, START + 660));
        training.settle(runId);

        vm.warp(START + 660);
        vm.expectEmit(address(training));
        emit ITraining.Settled(runId, 1, 0.5e9, 0.5e9, FUNDS);
        vm.expectEmit(address(training));
        emit ITraining.Finished(runId, 1, ITraining.Ending.TargetReached);
        training.settle(runId);
        so(training.run(runId).state == ITraining.State.Finished);
        so(rewards.pool(runId).closed);
        same(training.run(runId).bestLoss, TARGET);
        expect(abi.encodeWithSelector(ITraining.Training_WrongState.selector, runId, ITraining.State.Finished));
        training.settle(runId);
        refuseLate(
            who(4),
            one(row(0, 0, bipsOf(0, 0, 0, 0, 0))),
            abi.encodeWithSelector(
                ILocalRows.LocalRows_NotWaiting.selector, bytes32(0), this.hashAttestation(lastSealed(runId))
            )
        );
    }

    function test_theLastRoundIsSettledAtOnceWhenNoRowIsMissing() public {
        ended();
        addRows(runId, who(3), one(row(0.6e9, TARGET, bipsOf(0, 0, 0, 0, 0))));
        addRows(runId, who(4), one(row(0.6e9, TARGET, bipsOf(0, 0, 0, 0, 0))));
        training.settle(runId);
        so(training.run(runId).state == ITraining.State.Finished);
    }

    function test_aRunThatStartsAtTheTargetIsSettledUnpaid() public {
        bytes32 other = createRun(request(id, "other"), WALLET);
        fund(other, FUNDS);
        start(other, TARGET, 5);
        so(training.run(other).state == ITraining.State.Settling);
        training.settle(other);
        ITraining.Run memory run = training.run(other);
        so(run.state == ITraining.State.Finished);
        so(run.ending == ITraining.Ending.TargetReached);
        same(run.initialLoss, TARGET);
        same(rewards.refund(other), FUNDS);
    }

    /// @dev Two of the three that were heard start at the target: no majority of five, but the median.
    function test_nothingVestsWhereTheMedianWasAtTheTargetBeforeTheFirstRound() public {
        bytes32 other = createRun(request(id, "other"), WALLET);
        fund(other, FUNDS);
        ITraining.Row[] memory rows = three("");
        (rows[1].shares, rows[2].shares) = ("", "");
        (rows[0].lossAfter, rows[1].lossAfter, rows[2].lossAfter) = (TARGET, 0, 0.6e9);
        sealBy(other, first(3), rows);
        so(training.run(other).state == ITraining.State.Open);
        sealBy(other, first(5), abstentions(5, 0.6e9, 0.2e9));
        sealBy(other, first(5), abstentions(5, 0.6e9, 0.2e9));
        same(training.run(other).initialLoss, TARGET);
        same(rewards.pool(other).credited, 0);
    }

    function test_whatMoreThanTwoThirdsRejectIsStruckHereToo() public {
        IConsortium.Agreement memory agreement = localDraft(4);
        (agreement.terms.strikes, agreement.terms.strikeRounds) = (1, 1);
        agreement.terms.quarantineTime = 1 days;
        bytes32 other = createRun(gathered(agreement, 4));
        start(other, 0.6e9, 4);
        ITraining.Attestation memory attested = common(other);
        attested.rejects = abi.encodePacked(uint16(3), uint8(3));
        ITraining.Row[] memory rows = abstentions(4, 0.6e9, 0.5e9);
        assembly {
            mstore(rows, 3)
        }
        ITraining.Votes memory all = votes(attested, first(3), rows);
        training.sealLocal(attested, all, attested, nobody());
        same(training.run(other).active, 7);
    }

    function test_anOpenRoundIsNotSealedAnyMoreAfterTheEnd() public {
        ended();
        ITraining.Attestation memory attested = common(runId);
        expect(abi.encodeWithSelector(ITraining.Training_WrongState.selector, runId, ITraining.State.Settling));
        training.sealLocal(attested, nobody(), attested, nobody());
        expect(abi.encodeWithSelector(ITraining.Training_WrongState.selector, runId, ITraining.State.Settling));
        training.reopen(runId);
        expect(abi.encodeWithSelector(ITraining.Training_WrongState.selector, runId, ITraining.State.Settling));
        training.close(runId);
    }

    function test_whoClosesARunDoesNotCutOffItsRows() public {
        sealBy(runId, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        (, uint64 notAfter) = consortium.period(id);
        vm.warp(notAfter + 1);
        vm.expectEmit(address(training));
        emit ITraining.Ended(runId, 1, ITraining.Ending.AgreementOver);
        training.close(runId);
        expect(abi.encodeWithSelector(ITraining.Training_RowsMissing.selector, notAfter + 601));
        training.settle(runId);
        addRows(runId, who(3), one(row(0.6e9, 0.5e9, bipsOf(0, 0, 0, 0, 2500))));
        vm.warp(notAfter + 601);
        training.settle(runId);
        so(rewards.pool(runId).credited != 0);
        so(rewards.pool(runId).closed);
    }

    function test_aRunWithoutASealedRoundIsClosedAtOnce() public {
        bytes32 other = createRun(request(id, "other"), WALLET);
        (, uint64 notAfter) = consortium.period(id);
        vm.warp(notAfter + 1);
        training.close(other);
        so(training.run(other).state == ITraining.State.Finished);
    }
}
