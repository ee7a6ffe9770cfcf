// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClerk} from "../../contracts/interfaces/IClerk.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ILocalRows} from "../../contracts/interfaces/ILocalRows.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Messages} from "../../contracts/libraries/Messages.sol";
import {LocalReference, Said} from "./LocalReference.sol";
import {LocalSwarm} from "./LocalSwarm.sol";

/// @dev `local` metering to the last wei, against LocalReference.
contract LocalArithmeticTest is LocalSwarm {
    uint64 private constant L0 = 0.6e9;
    uint256 private constant POOL = 1e18 + 7;

    /// @dev What the pool should be at.
    struct Expected {
        int256 sum;
        int256 best;
        uint256 rounds;
        uint256 credited;
        uint256[] accrued;
    }

    function run(uint256 organizations, uint8 budgetRule) internal returns (bytes32 runId) {
        IConsortium.Agreement memory agreement = localDraft(organizations);
        agreement.document = keccak256(abi.encode(organizations, budgetRule));
        agreement.terms.budgetRule = budgetRule;
        // Whatever the losses, these runs go on.
        agreement.terms.stopping = 2;
        agreement.terms.targetMetric = 1e9;
        vm.warp(START);
        runId = createRun(gathered(agreement, organizations));
        fund(runId, POOL);
        start(runId, L0, organizations);
    }

    /// @dev Everything about a round follows from a seed: who is heard, who abstains, what they say.
    function invent(uint256 organizations, uint256 seed) internal pure returns (Said[] memory said) {
        said = new Said[](organizations);
        uint256 cap = organizations < 2 ? 0 : 20_000 / (organizations - 1);
        for (uint256 j = 0; j < organizations; ++j) {
            uint256 dice = uint256(keccak256(abi.encode(seed, j)));
            said[j].heard = dice % 8 != 0;
            said[j].lossBefore = int256(dice >> 8 & 0x1fffffff);
            said[j].lossAfter = int256(dice >> 40 & 0x1fffffff);
            said[j].bips = new uint256[](organizations);
            if (dice >> 72 & 7 == 0) continue;
            uint256 left = 10_000;
            for (uint256 i = 0; i < organizations; ++i) {
                uint256 bips = uint256(keccak256(abi.encode(seed, j, i))) % (cap + 1);
                if (i == j) continue;
                said[j].bips[i] = bips < left ? bips : left;
                left -= said[j].bips[i];
            }
        }
    }

    function rowBy(Said memory one) internal pure returns (ITraining.Row memory) {
        uint16[] memory bips = new uint16[](one.bips.length);
        for (uint256 i = 0; i < bips.length; ++i) {
            bips[i] = uint16(one.bips[i]);
        }
        return row(uint64(uint256(one.lossBefore)), uint64(uint256(one.lossAfter)), rowOf(bips));
    }

    function pick(Said[] memory said, uint256 who)
        internal
        pure
        returns (uint16[] memory signers, ITraining.Row[] memory rows)
    {
        signers = new uint16[](said.length);
        rows = new ITraining.Row[](said.length);
        uint256 count = 0;
        for (uint16 j = 0; j < said.length; ++j) {
            if (who >> j & 1 == 0) continue;
            (signers[count], rows[count]) = (j, rowBy(said[j]));
            ++count;
        }
        assembly {
            mstore(signers, count)
            mstore(rows, count)
        }
    }

    /// @dev Of whom to hear when: a quorum with the seal, of the others some by and by, some with the next seal.
    function schedule(Said[] memory said, uint256 dice)
        internal
        pure
        returns (uint256 early, uint256 between, uint256 late)
    {
        uint256 count = said.length;
        uint256 all = (1 << count) - 1;
        early = dice & all;
        // A quorum, whoever it is.
        for (uint256 j = dice >> 64 & 63; popcount(early) <= count / 2; ++j) {
            early |= 1 << j % count;
        }
        uint256 heard;
        for (uint256 j = 0; j < count; ++j) {
            if (said[j].heard) heard |= 1 << j;
        }
        between = heard & ~early & dice >> 128;
        late = heard & ~early & ~between;
    }

    function popcount(uint256 set) internal pure returns (uint256 bits) {
        for (; set != 0; set &= set - 1) {
            ++bits;
        }
    }

    /// @dev Seals these rounds, then settles the last; whoever signs early is heard, whatever was invented.
    function play(bytes32 runId, Said[][] memory rounds, uint256 seed) internal {
        uint256 late = 0;
        for (uint256 r = 0; r < rounds.length; ++r) {
            ITraining.Votes memory missing;
            if (late != 0) {
                (uint16[] memory who, ITraining.Row[] memory what) = pick(rounds[r - 1], late);
                missing = this.lateVotes(runId, who, what);
            }
            (uint256 early, uint256 between, uint256 next) =
                schedule(rounds[r], uint256(keccak256(abi.encode(seed, r))));
            (uint16[] memory signers, ITraining.Row[] memory rows) = pick(rounds[r], early);
            sealBy(runId, signers, rows, missing);
            for (uint256 j = 0; j < rounds[r].length; ++j) {
                if (early >> j & 1 == 1) rounds[r][j].heard = true;
            }
            if (between != 0) {
                (signers, rows) = pick(rounds[r], between);
                addRows(runId, signers, rows);
            }
            late = next;
        }
        if (late != 0) {
            (uint16[] memory who, ITraining.Row[] memory what) = pick(rounds[rounds.length - 1], late);
            addRows(runId, who, what);
        }
    }

    function lateVotes(bytes32 runId, uint16[] memory signers, ITraining.Row[] memory rows)
        external
        view
        returns (ITraining.Votes memory)
    {
        return late(runId, signers, rows);
    }

    function over(bytes32 runId) internal {
        (, uint64 notAfter) = consortium.period(training.agreementOf(runId));
        if (vm.getBlockTimestamp() <= notAfter) vm.warp(notAfter + 1);
        training.close(runId);
        vm.warp(vm.getBlockTimestamp() + 600);
        training.settle(runId);
    }

    function expectedOf(Said[][] memory rounds, bool perRound) internal pure returns (Expected memory expected) {
        expected.accrued = new uint256[](rounds[0].length);
        for (uint256 r = 0; r < rounds.length; ++r) {
            expected.sum += LocalReference.gain(rounds[r]);
            if (expected.sum > expected.best) expected.best = expected.sum;
            expected.rounds += 1;
            uint256 gain = perRound ? expected.rounds : uint256(expected.best);
            uint256 span = perRound ? 20 : L0 - TARGET;
            uint256 vested = POOL * (gain < span ? gain : span) / span;
            uint256 available = vested - expected.credited;
            (uint256[] memory numerators, uint256 divisor) = LocalReference.parts(rounds[r]);
            for (uint256 i = 0; i < numerators.length; ++i) {
                uint256 credit = available * numerators[i] / divisor;
                expected.accrued[i] += credit;
                expected.credited += credit;
            }
        }
    }

    function checkPaid(bytes32 runId, Expected memory expected) internal view {
        for (uint256 i = 0; i < expected.accrued.length; ++i) {
            same(accrued(runId, i), expected.accrued[i]);
        }
        same(rewards.pool(runId).credited, expected.credited);
        so(book(runId).sum == expected.sum);
        so(book(runId).best == expected.best);
        same(training.run(runId).paidRounds, expected.rounds);
        uint256 best = uint256(expected.best);
        same(training.run(runId).bestLoss, best < L0 ? L0 - best : 0);
    }

    function inventAll(uint256 organizations, uint256 rounds, uint256 seed)
        internal
        pure
        returns (Said[][] memory said)
    {
        said = new Said[][](rounds);
        for (uint256 r = 0; r < rounds; ++r) {
            said[r] = invent(organizations, uint256(keccak256(abi.encode(seed, "round", r))));
        }
    }

    function check(uint256 organizations, uint256 rounds, uint256 seed, uint8 budgetRule) internal {
        bytes32 runId = run(organizations, budgetRule);
        Said[][] memory said = inventAll(organizations, rounds, seed);
        play(runId, said, seed);
        over(runId);
        checkPaid(runId, expectedOf(said, budgetRule == 1));
    }

    /// forge-config: default.fuzz.runs = 48
    function testFuzz_paysWhatTheReferencePays(uint8 organizations, uint256 seed, bool perRound) public {
        check(4 + organizations % 9, 3, seed, perRound ? 1 : 0);
    }

    function test_paysSixtyFour() public {
        check(64, 2, 64, 0);
    }

    function test_paysFewEqually() public {
        check(2, 3, 2, 0);
        check(3, 3, 3, 0);
    }

    /// forge-config: default.fuzz.runs = 24
    function testFuzz_whoPostsAndWhenChangesNobodysPay(uint8 organizations, uint256 seed, uint256 other) public {
        uint256 count = 4 + organizations % 9;
        bytes32 one = run(count, 0);
        bytes32 agreement = training.agreementOf(one);
        bytes32 two = createRun(request(agreement, "again"), WALLET);
        fund(two, POOL);
        start(two, L0, count);

        // All are heard in the end, whatever the order.
        Said[][] memory said = inventAll(count, 3, seed);
        for (uint256 r = 0; r < said.length; ++r) {
            for (uint256 j = 0; j < count; ++j) {
                said[r][j].heard = true;
            }
        }
        play(one, said, seed);
        play(two, said, other);
        over(one);
        over(two);
        for (uint256 p = 0; p < count; ++p) {
            same(accrued(one, p), accrued(two, p));
        }
    }

    /// @dev By a fixed amount for each round, since one's own loss is one of those that the median is taken of. Of one
    /// round, since what rows leave over is divided again with the next.
    /// forge-config: default.fuzz.runs = 24
    function testFuzz_whatOneSaysOrLeavesOutNeverChangesOnesShare(uint8 organizations, uint256 seed, uint256 own)
        public
    {
        uint256 count = 4 + organizations % 9;
        uint256 party = own % count;
        uint256[] memory earned = new uint256[](3);
        for (uint256 k = 0; k < 3; ++k) {
            deploy();
            bytes32 runId = run(count, 1);
            Said[] memory said = invent(count, seed);
            if (k == 1) said[party] = invent(count, own)[party];
            uint256 all = (1 << count) - 1;
            (uint16[] memory signers, ITraining.Row[] memory rows) = pick(said, k == 2 ? all & ~(1 << party) : all);
            sealBy(runId, signers, rows);
            over(runId);
            earned[k] = accrued(runId, party);
        }
        so(earned[0] != 0);
        same(earned[0], earned[1]);
        same(earned[0], earned[2]);
    }

    function test_theMedianOfRoundZeroIsTakenOfThoseWhoWereHeard() public {
        bytes32 runId = createRun(gathered(localDraft(5), 5));
        uint16[] memory three = new uint16[](3);
        (three[0], three[1], three[2]) = (0, 2, 3);
        ITraining.Row[] memory rows = new ITraining.Row[](3);
        rows[0] = row(0, 0.65e9, "");
        rows[1] = row(0, 0.2e9, "");
        rows[2] = row(0, 0.5e9, "");
        sealBy(runId, three, rows);
        rows[0] = row(0, 0.3e9, "");
        assembly {
            mstore(rows, 1)
        }
        uint16[] memory one = new uint16[](1);
        one[0] = 4;
        // 0.2, 0.3, 0.5, 0.65: of the two in the middle the lower.
        sealBy(runId, first(5), abstentions(5, 0, 0), late(runId, one, rows));
        same(training.run(runId).initialLoss, 0.3e9);
        same(training.run(runId).bestLoss, 0.3e9);
    }

    function test_whatIsMeasuredAboveTheCeilingDoesNotRaiseIt() public {
        bytes32 runId = createRun(gathered(localDraft(4), 4));
        start(runId, type(uint64).max, 4);
        sealBy(runId, first(4), abstentions(4, 0, 0));
        same(training.run(runId).initialLoss, CEILING);
    }

    function test_theLargestLossesAddUp() public {
        bytes32 runId = run(4, 0);
        for (uint256 r = 0; r < 3; ++r) {
            sealBy(runId, first(4), abstentions(4, r == 1 ? type(uint64).max : 0, r == 1 ? 0 : type(uint64).max));
        }
        over(runId);
        so(book(runId).sum == -int256(uint256(type(uint64).max)));
        so(book(runId).best == 0);
        same(rewards.pool(runId).credited, 0);
    }

    function test_aWorseRoundPaysNothingAndIsMadeUpForFirst() public {
        bytes32 runId = run(4, 0);
        sealBy(runId, first(4), abstentions(4, 0.6e9, 0.5e9)); // + 0.1
        sealBy(runId, first(4), abstentions(4, 0.5e9, 0.55e9)); // - 0.05
        same(training.run(runId).bestLoss, 0.5e9);
        uint256 credited = rewards.pool(runId).credited;
        so(credited > POOL / 5 - 4);
        sealBy(runId, first(4), abstentions(4, 0.55e9, 0.5e9)); // + 0.05
        sealBy(runId, first(4), abstentions(4, 0.5e9, 0.49e9)); // + 0.01
        so(rewards.pool(runId).credited - credited < 4);
        over(runId);
        same(training.run(runId).bestLoss, 0.49e9);
        so(rewards.pool(runId).credited > POOL * 11 / 50 - 8);
    }

    function test_oneOutlierMovesNoMedian() public {
        bytes32 runId = run(4, 0);
        ITraining.Row[] memory rows = abstentions(4, 0.6e9, 0.6e9);
        rows[2].lossBefore = type(uint64).max;
        sealBy(runId, first(4), rows);
        over(runId);
        same(rewards.pool(runId).credited, 0);
    }
}

/// @dev What rows must be, when they come, and what the last ones do. Five organizations; registration p is the node of
/// party p.
contract LocalRowsTest is LocalSwarm {
    bytes32 internal id;
    bytes32 internal runId;
    ITraining.Row[] internal none;

    function setUp() public override {
        super.setUp();
        id = gathered(localDraft(5), 5);
        runId = createRun(id);
        fund(runId, FUNDS);
        start(runId, 0.6e9, 5);
    }

    function bipsOf(uint16 a, uint16 b, uint16 c, uint16 d, uint16 e) internal pure returns (bytes memory) {
        uint16[] memory bips = new uint16[](5);
        (bips[0], bips[1], bips[2], bips[3], bips[4]) = (a, b, c, d, e);
        return rowOf(bips);
    }

    /// @dev Three rows, in which nobody gives anything to himself, and the first is given.
    function three(bytes memory firstShares) internal pure returns (ITraining.Row[] memory rows) {
        rows = new ITraining.Row[](3);
        rows[0] = row(0.6e9, 0.5e9, firstShares);
        rows[1] = row(0.6e9, 0.5e9, bipsOf(5000, 0, 5000, 0, 0));
        rows[2] = row(0.6e9, 0.5e9, bipsOf(0, 0, 0, 0, 0));
    }

    function one(ITraining.Row memory only) internal pure returns (ITraining.Row[] memory rows) {
        rows = new ITraining.Row[](1);
        rows[0] = only;
    }

    function who(uint16 registration) internal pure returns (uint16[] memory signers) {
        signers = new uint16[](1);
        signers[0] = registration;
    }

    function refuseSeal(uint16[] memory signers, ITraining.Row[] memory rows, bytes memory reason) internal {
        ITraining.Attestation memory attested = common(runId);
        ITraining.Votes memory all = votes(attested, signers, rows);
        ITraining.Attestation memory before = lastSealed(runId);
        expect(reason);
        training.sealLocal(attested, all, before, nobody());
    }

    function refuseShares(bytes memory shares, uint256 index) internal {
        refuseSeal(first(3), three(shares), abi.encodeWithSelector(ITraining.Training_BadShares.selector, index));
    }

    function refuseLate(uint16[] memory signers, ITraining.Row[] memory rows, bytes memory reason) internal {
        ITraining.Attestation memory before = lastSealed(runId);
        ITraining.Votes memory all = late(runId, signers, rows);
        expect(reason);
        training.addRows(before, all);
    }

    function test_refusesOpinionsOfOneself() public {
        refuseShares(bipsOf(1, 0, 0, 0, 0), 0);
    }

    function test_refusesMoreThanTwiceAnEqualPart() public {
        refuseShares(bipsOf(0, 0, 5001, 0, 0), 0);
        sealBy(runId, first(3), three(bipsOf(0, 0, 5000, 0, 0)));
    }

    function test_refusesToGiveAwayWhatIsNotThere() public {
        refuseShares(bipsOf(0, 5000, 5000, 1, 0), 5);
        sealBy(runId, first(3), three(bipsOf(0, 5000, 4999, 1, 0)));
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
        rows[2].shares = bipsOf(5000, 5000, 0, 0, 0);
        rows[3] = row(9e9, 0, bipsOf(0, 0, 0, 5000, 5000));
        sealBy(runId, signers, rows);
        // Party 1 abstained by its first node, which is what counts, also when the other comes once more.
        same(book(runId).given, 4);
        addRows(runId, who(second), one(rows[3]));
        same(book(runId).given, 4);
        same(book(runId).heard, 7);
    }

    function test_lateRowsCountUntilTheNextSealSettles() public {
        sealBy(runId, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        addRows(runId, who(3), one(row(0.6e9, 0.4e9, bipsOf(0, 0, 0, 0, 5000))));
        same(book(runId).heard, 15);
        ITraining.Votes memory last = late(runId, who(4), one(row(0.6e9, 0.4e9, bipsOf(0, 0, 0, 5000, 0))));
        ITraining.Attestation memory before = lastSealed(runId);
        sealBy(runId, first(3), three(bipsOf(0, 0, 0, 0, 0)), last);
        // Five gains, 0.1 0.1 0.1 0.2 0.2: a fifth of the span of 0.5.
        uint256 available = uint256(FUNDS) / 5;
        same(accrued(runId, 0), available * (4 * 5000 + 10_000) / 200_000);
        same(accrued(runId, 1), available * 20_000 / 200_000);
        same(accrued(runId, 2), available * (4 * 5000 + 10_000) / 200_000);
        same(accrued(runId, 3), available * (4 * 5000 + 20_000) / 200_000);
        same(accrued(runId, 4), available * (4 * 5000 + 20_000) / 200_000);

        bytes32 waits = book(runId).sealedHash;
        expect(abi.encodeWithSelector(ILocalRows.LocalRows_NotWaiting.selector, waits, this.hashAttestation(before)));
        training.addRows(before, last);
    }

    function test_aRowOnChainAlreadyIsPassedOver() public {
        sealBy(runId, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        ITraining.Row[] memory rows = one(row(0.6e9, 0.4e9, bipsOf(0, 0, 0, 0, 5000)));
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
        ITraining.Votes memory rows = late(other, who(3), one(row(9e9, 0, bipsOf(0, 0, 0, 0, 5000))));
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
        same(book(runId).given, 0);
        sealBy(runId, first(3), three(bipsOf(0, 0, 0, 0, 0)));
        // Two of four gained 0.1, the others nothing is known of: the lower median is 0.
        same(rewards.pool(runId).credited, 0);
        same(accrued(runId, 0), 0);
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

    function test_theLastRoundIsSettledWhenItsTimeIsOver() public {
        expect(abi.encodeWithSelector(ITraining.Training_WrongState.selector, runId, ITraining.State.Open));
        training.settle(runId);
        vm.warp(START + 60);
        ended();
        expect(abi.encodeWithSelector(ITraining.Training_RowsMissing.selector, START + 660));
        training.settle(runId);
        so(!rewards.pool(runId).closed);
        addRows(runId, who(3), one(row(0.6e9, TARGET, bipsOf(0, 0, 0, 0, 5000))));
        expect(abi.encodeWithSelector(ITraining.Training_RowsMissing.selector, START + 660));
        training.settle(runId);

        vm.warp(START + 660);
        vm.expectEmit(address(training));
        emit ITraining.Settled(runId, 1, 0.5e9, 0.5e9, FUNDS / 200_000 * (200_000 - 4 * 5000));
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
        addRows(runId, who(3), one(row(0.6e9, 0.5e9, bipsOf(0, 0, 0, 0, 5000))));
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

    function test_theBooksAreTrainingsAlone() public {
        IClerk clerk = training.clerk();
        bytes memory reason = abi.encodeWithSelector(IClerk.Clerk_OnlyTraining.selector, address(this));
        expect(reason);
        clerk.settleRows(runId);
        ITraining.Attestation memory attested = common(runId);
        expect(reason);
        clerk.sealRows(ILocalRows.Bench(id, 0, 0, 0, 0, 0), attested, nobody(), attested, nobody());
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

    function hashAttestation(ITraining.Attestation calldata attested) external pure returns (bytes32) {
        return Messages.hash(attested);
    }
}
