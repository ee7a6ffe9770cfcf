// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClerk} from "../../contracts/interfaces/IClerk.sol";
import {ILocalRows} from "../../contracts/interfaces/ILocalRows.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {FiveOrganizations} from "./FiveOrganizations.sol";

/// @dev What rows must be, and when they count.
contract LocalRowsTest is FiveOrganizations {
    function test_refusesOpinionsOfOneself() public {
        refuseShares(bipsOf(1, 0, 0, 0, 0), 0);
    }

    function test_refusesMoreThanTheCap() public {
        // 4 * 2500 and the 7500 that are left, divided among four.
        refuseShares(bipsOf(0, 0, 2501, 0, 0), 0);
        refuseShares(bipsOf(0, 0, 4376, 5000, 624), 0);
        sealBy(runId, first(3), three(bipsOf(0, 0, 2500, 0, 0)));
    }

    function test_refusesToGiveAwayWhatIsNotThere() public {
        refuseShares(bipsOf(0, 4000, 4000, 2001, 0), 5);
        sealBy(runId, first(3), three(bipsOf(0, 4000, 4000, 2000, 0)));
    }

    function test_refusesRowsThatAreNotRows() public {
        refuseSeal(
            first(3),
            three(bytes.concat(share(0, 0), share(2, 0), share(1, 0), share(3, 0), share(4, 0))),
            abi.encodeWithSelector(ITraining.Training_BadShares.selector, 2)
        );
        refuseSeal(
            first(3),
            three(bytes.concat(share(0, 0), share(1, 0), share(2, 0), share(3, 0), share(5, 0))),
            abi.encodeWithSelector(ITraining.Training_BadShares.selector, 4)
        );
        refuseShares(bytes.concat(bipsOf(0, 0, 0, 0, 0), hex"00"), 5);
    }

    function test_allRowsListTheSameOrganizations() public {
        ITraining.Row[] memory rows = three(bipsOf(0, 0, 0, 0, 0));
        rows[1].shares = bytes.concat(share(0, 0), share(1, 0), share(2, 0), share(3, 0));
        refuseSeal(first(3), rows, abi.encodeWithSelector(ITraining.Training_BadShares.selector, 5));
        rows[0].shares = rows[1].shares;
        rows[1].shares = bytes.concat(share(0, 0), share(1, 0), share(2, 0), share(4, 0));
        refuseSeal(first(3), rows, abi.encodeWithSelector(ITraining.Training_BadShares.selector, 0));
        rows[1].shares = rows[0].shares;
        rows[2].shares = rows[0].shares;
        sealBy(runId, first(3), rows);
        refuseLate(
            who(3),
            one(row(0, 0, bipsOf(0, 0, 0, 0, 0))),
            abi.encodeWithSelector(ITraining.Training_BadShares.selector, 4)
        );
    }

    function test_whatAllSignedAlikeLeavesTheirOwnFieldsEmpty() public {
        ITraining.Votes memory all = votes(common(runId), first(3), three(bipsOf(0, 0, 0, 0, 0)));
        ITraining.Attestation memory before = lastSealed(runId);
        for (uint256 field = 0; field < 4; ++field) {
            ITraining.Attestation memory attested = common(runId);
            if (field == 0) attested.lossBefore = 1;
            if (field == 1) attested.lossAfter = 1;
            if (field == 2) attested.metric = 1;
            if (field == 3) attested.shares = bipsOf(0, 0, 0, 0, 0);
            expect(abi.encodeWithSelector(ILocalRows.LocalRows_OwnFields.selector));
            training.sealLocal(attested, all, before, nobody());
        }
    }

    function test_everyRowIsSignedByItsOwnNode() public {
        ITraining.Attestation memory attested = common(runId);
        ITraining.Votes memory all = votes(attested, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        all.rows[1].lossAfter += 1;
        ITraining.Attestation memory before = lastSealed(runId);
        vm.expectRevert();
        training.sealLocal(attested, all, before, nobody());
        all.rows[1].lossAfter -= 1;
        all.rows[2] = all.rows[1];
        vm.expectRevert();
        training.sealLocal(attested, all, before, nobody());
    }

    function test_asManyRowsAndSignaturesAsSigners() public {
        ITraining.Attestation memory attested = common(runId);
        ITraining.Votes memory all = votes(attested, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        ITraining.Attestation memory before = lastSealed(runId);
        ITraining.Row[] memory rows = all.rows;
        all.rows = one(rows[0]);
        expect(abi.encodeWithSelector(ILocalRows.LocalRows_RowCount.selector, 3, 1));
        training.sealLocal(attested, all, before, nobody());
        all.rows = rows;
        all.signers = first(2);
        expect(abi.encodeWithSelector(ITraining.Training_SignatureCount.selector, 2, 195));
        training.sealLocal(attested, all, before, nobody());
        refuseSeal(first(0), none, abi.encodeWithSelector(ITraining.Training_NoQuorum.selector, 0, 3));
    }

    function test_signersAscend() public {
        uint16[] memory signers = first(3);
        (signers[1], signers[2]) = (2, 1);
        ITraining.Row[] memory rows = three(bipsOf(0, 0, 0, 0, 0));
        rows[1].shares = rows[0].shares;
        refuseSeal(signers, rows, abi.encodeWithSelector(ITraining.Training_SignersNotAscending.selector, 1));
    }

    function test_aMinorityNeverSeals() public {
        ITraining.Row[] memory rows = new ITraining.Row[](2);
        rows[0] = row(0, 0, bipsOf(0, 0, 0, 0, 0));
        rows[1] = rows[0];
        refuseSeal(list(1, 4), rows, abi.encodeWithSelector(ITraining.Training_NoQuorum.selector, 2, 3));
    }

    function test_rowsAndOneRowForAllAreSealedDifferently() public {
        ITraining.Attestation memory attested = common(runId);
        expect(abi.encodeWithSelector(ITraining.Training_OtherMetering.selector, 3));
        training.seal(attested, first(0), "");
        attested = common(createRun(gathered(3)));
        expect(abi.encodeWithSelector(ITraining.Training_OtherMetering.selector, 2));
        training.sealLocal(attested, nobody(), attested, nobody());
    }

    function test_theNextNameDoesNotDependOnTheRowsThatWerePosted() public {
        ITraining.Attestation memory attested = common(runId);
        bytes32 next = keccak256(
            abi.encode(
                runId,
                uint32(1),
                attested.rosterRoot,
                attested.mergedRoot,
                uint64(0),
                uint64(0),
                int64(0),
                keccak256(""),
                membersRoot(id)
            )
        );
        sealBy(runId, first(3), three(bipsOf(0, 100, 0, 0, 0)));
        same(training.run(runId).prev, next);
    }

    function test_anOrganizationsRowIsThatOfItsLowestNode() public {
        uint16 second = enroll(id, 1, "n2");
        sealBy(runId, first(3), three(bipsOf(0, 0, 0, 0, 0)));

        uint16[] memory signers = new uint16[](4);
        (signers[0], signers[1], signers[2], signers[3]) = (0, 1, 2, second);
        ITraining.Row[] memory rows = new ITraining.Row[](4);
        ITraining.Row[] memory others = three(bipsOf(0, 0, 0, 0, 0));
        (rows[0], rows[1], rows[2]) = (others[0], others[2], others[1]);
        rows[2].shares = bipsOf(4000, 4000, 0, 2000, 0);
        rows[3] = row(9e9, 0, bipsOf(0, 0, 2000, 4000, 4000));
        sealBy(runId, signers, rows);
        addRows(runId, who(second), one(rows[3]));
        same(book(runId).heard, 7);
        sealBy(runId, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        // Party 1 abstained by its first node, which is what counts, also when the other comes once more: in the first
        // round only it said something, in the second only party 2.
        uint256 available = uint256(FUNDS) / 5;
        same(accrued(runId, 3), 2 * (available * (4 * 2000 + 30_000) / 200_000));
        same(accrued(runId, 4), 2 * (available * 30_000 / 200_000));
    }

    function test_lateRowsCountUntilTheNextSealSettles() public {
        sealBy(runId, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        addRows(runId, who(3), one(row(0.6e9, 0.4e9, bipsOf(0, 0, 0, 0, 2500))));
        same(book(runId).heard, 15);
        ITraining.Votes memory last = late(runId, who(4), one(row(0.6e9, 0.4e9, bipsOf(0, 0, 0, 2500, 0))));
        ITraining.Attestation memory before = lastSealed(runId);
        sealBy(runId, first(3), three(bipsOf(0, 0, 0, 0, 0)), last);
        // Five gains, 0.1 0.1 0.1 0.2 0.2: a fifth of the span of 0.5.
        uint256 available = uint256(FUNDS) / 5;
        // The rows leave 10,000, 0, 10,000, 7500 and 7500.
        same(accrued(runId, 0), available * (4 * 4000 + 25_000) / 200_000);
        same(accrued(runId, 1), available * 35_000 / 200_000);
        same(accrued(runId, 2), available * (4 * 4000 + 25_000) / 200_000);
        same(accrued(runId, 3), available * (4 * (2000 + 2500) + 27_500) / 200_000);
        same(accrued(runId, 4), available * (4 * 2500 + 27_500) / 200_000);

        bytes32 waits = book(runId).sealedHash;
        expect(abi.encodeWithSelector(ILocalRows.LocalRows_NotWaiting.selector, waits, this.hashAttestation(before)));
        training.addRows(before, last);
    }

    function test_aRowOnChainAlreadyIsPassedOver() public {
        sealBy(runId, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        ITraining.Row[] memory rows = one(row(0.6e9, 0.4e9, bipsOf(0, 0, 0, 0, 2500)));
        ITraining.Votes memory both = late(runId, who(3), rows);
        addRows(runId, who(3), rows);
        sealBy(runId, first(3), three(bipsOf(0, 0, 0, 0, 0)), both);
        same(training.run(runId).round, 3);
    }

    function test_lateRowsAreOfThisRun() public {
        bytes32 other = createRun(request(id, "other"), WALLET);
        start(other, 0.6e9, 5);
        sealBy(other, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        sealBy(runId, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        ITraining.Attestation memory theirs = lastSealed(other);
        ITraining.Votes memory rows = late(other, who(3), one(row(9e9, 0, bipsOf(0, 0, 0, 0, 2500))));
        ITraining.Attestation memory attested = common(runId);
        ITraining.Votes memory all = votes(attested, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        bytes memory reason = abi.encodeWithSelector(
            ILocalRows.LocalRows_NotWaiting.selector, book(runId).sealedHash, book(other).sealedHash
        );
        expect(reason);
        training.sealLocal(attested, all, theirs, rows);
    }

    function test_roundZeroListsNobodyAndHasNoLateRows() public {
        bytes32 other = createRun(request(id, "other"), WALLET);
        ITraining.Attestation memory attested = common(other);
        ITraining.Votes memory all = votes(attested, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        expect(abi.encodeWithSelector(ITraining.Training_BadShares.selector, 0));
        training.sealLocal(attested, all, attested, nobody());
        ITraining.Row[] memory rows = three("");
        (rows[1].shares, rows[2].shares) = ("", "");
        all = votes(attested, first(3), rows);
        expect(
            abi.encodeWithSelector(ILocalRows.LocalRows_NotWaiting.selector, bytes32(0), this.hashAttestation(attested))
        );
        training.sealLocal(attested, all, attested, all);
    }

    function test_whoHasNoPartInTheRoundSealsButIsNotHeard() public {
        bytes memory four = bytes.concat(share(1, 0), share(2, 0), share(3, 0), share(4, 0));
        ITraining.Row[] memory rows = three(four);
        (rows[1].shares, rows[2].shares) = (four, four);
        rows[0] = row(9e9, 0, bytes.concat(share(1, 100), share(2, 100), share(3, 0), share(4, 0)));
        sealBy(runId, first(3), rows);
        same(book(runId).roster, 30);
        same(book(runId).heard, 6);
        sealBy(runId, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        // Two of four gained 0.1, the others nothing is known of: the lower median is 0.
        same(rewards.pool(runId).credited, 0);
        same(accrued(runId, 0), 0);
    }

    function test_whoHasNoDataMovesNeitherTheStartNorAGain() public {
        uint64 none = type(uint64).max;
        bytes32 other = createRun(request(id, "other"), WALLET);
        ITraining.Row[] memory rows = new ITraining.Row[](5);
        uint64[5] memory losses = [none, none, none, uint64(0.4e9), 0.3e9];
        for (uint256 i = 0; i < 5; ++i) {
            rows[i] = row(0, losses[i], "");
        }
        sealBy(other, first(5), rows);
        rows = three(bipsOf(0, 0, 0, 0, 0));
        for (uint256 i = 0; i < 3; ++i) {
            (rows[i].lossBefore, rows[i].lossAfter) = (0.4e9, none);
        }
        sealBy(other, first(3), rows);
        // Of 0.3 and 0.4 the lower; the others said nothing.
        same(training.run(other).initialLoss, 0.3e9);
        sealBy(other, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        same(training.run(other).bestLoss, 0.3e9);
    }

    function test_whereNobodyHasDataTheCeilingIsTheStart() public {
        bytes32 other = createRun(request(id, "other"), WALLET);
        ITraining.Row[] memory rows = new ITraining.Row[](3);
        for (uint256 i = 0; i < 3; ++i) {
            rows[i] = row(0, type(uint64).max, "");
        }
        sealBy(other, first(3), rows);
        sealBy(other, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        same(training.run(other).initialLoss, CEILING);
    }

    function test_aVoidRoundPaysNobodyAndGainsNothing() public {
        ITraining.Row[] memory rows = three("");
        (rows[1].shares, rows[2].shares) = ("", "");
        sealBy(runId, first(3), rows);
        sealBy(runId, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        ITraining.Run memory run = training.run(runId);
        same(run.bestLoss, 0.6e9);
        same(run.paidRounds, 0);
        same(run.idleRounds, 1);
        same(rewards.pool(runId).credited, 0);
    }

    function test_everyRowThatCountsIsTold() public {
        ITraining.Attestation memory attested = common(runId);
        ITraining.Row[] memory rows = three(bipsOf(0, 1, 2, 3, 4));
        ITraining.Votes memory all = votes(attested, first(3), rows);
        ITraining.Attestation memory before = lastSealed(runId);
        vm.expectEmit(address(training.clerk()));
        emit ILocalRows.RowCounted(runId, 1, 0, 0, 0.6e9, 0.5e9, 0.9e9, rows[0].shares);
        vm.expectEmit(address(training.clerk()));
        emit ILocalRows.RowCounted(runId, 1, 1, 1, 0.6e9, 0.5e9, 0.9e9, rows[1].shares);
        vm.expectEmit(address(training));
        emit ITraining.Settled(runId, 0, 0.6e9, 0, 0);
        training.sealLocal(attested, all, before, nobody());
    }

    /// @dev By whom a seal is judged, and when it is at the target, comes behind the call that the clerk gets.
    function test_whatAPosterPutsBehindTheCallIsNotLookedAt() public {
        ITraining.Attestation memory attested = common(runId);
        ITraining.Votes memory all = votes(attested, first(3), three(bipsOf(0, 1, 2, 3, 4)));
        bytes memory call = abi.encodeCall(ITraining.sealLocal, (attested, all, lastSealed(runId), nobody()));
        bytes32 separator = training.domainSeparator();
        bytes memory invented = abi.encode(ILocalRows.Bench(id, 5, 1, 0, type(uint64).max, 0, separator));
        (bool done,) = address(training).call(bytes.concat(call, invented));
        so(done);
        ITraining.Run memory run = training.run(runId);
        so(run.state == ITraining.State.Open && run.round == 2);
        same(book(runId).roster, 31);
    }

    function test_theBooksAreTrainingsAlone() public {
        IClerk clerk = training.clerk();
        bytes memory reason = abi.encodeWithSelector(IClerk.Clerk_OnlyTraining.selector, address(this));
        expect(reason);
        clerk.settleRows(runId);
        ITraining.Attestation memory attested = common(runId);
        expect(reason);
        clerk.sealRows(attested, nobody(), attested, nobody());
        expect(reason);
        clerk.count(runId, id, 1, 0);
        expect(reason);
        clerk.strike(runId, id, 1, 1, 1, "");
        ITraining.RunRequest memory wanted = request(id, "mine");
        expect(reason);
        clerk.createRun(wanted, termsOf[id], "");
        expect(abi.encodeWithSelector(IClerk.Clerk_Taken.selector, address(training)));
        clerk.adopt();
    }
}
