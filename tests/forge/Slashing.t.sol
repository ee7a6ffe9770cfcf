// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Stakes} from "../../contracts/Stakes.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IStakes} from "../../contracts/interfaces/IStakes.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Trial} from "./Trial.sol";
import {BlockingToken} from "./Vaults.sol";

/// @dev Says whatever its maker wants about runs.
contract InventedTraining {
    bytes32 public immutable agreementOfAll;
    bytes32 public immutable domainSeparator;

    constructor(bytes32 agreement, bytes32 domainSeparator_) {
        agreementOfAll = agreement;
        domainSeparator = domainSeparator_;
    }

    function agreementOf(bytes32) external view returns (bytes32) {
        return agreementOfAll;
    }
}

/// @dev What a proven contradiction costs, and what proves nothing.
contract SlashingTest is Trial {
    // What is lost, and where it goes

    function test_twoUpdatesOfOneRoundCostAPartOfTheStake() public {
        IStakes.Update memory a = update(runId, 1, "a");
        IStakes.Update memory b = update(runId, 1, "b");
        bytes memory signatureA = node(runId, 1, this.hashUpdate(a));
        bytes memory signatureB = node(runId, 1, this.hashUpdate(b));
        vm.expectEmit(address(stakes));
        emit IStakes.Slashed(id, 1, runId, IStakes.Kind.Update, 1, a.prev, 0, 1, FINDER, STAKE / 2, STAKE / 20);
        vm.prank(FINDER);
        same(stakes.slashUpdates(address(training), 1, a, b, signatureA, signatureB), STAKE / 2);

        same(stakes.stake(id, 1).locked, STAKE / 2);
        same(stakes.owed(FINDER), STAKE / 20);
        same(stakes.owed(CHARITY), STAKE / 2 - STAKE / 20);
        so(stakes.proven(IStakes.Kind.Update, runId, 1, a.prev, 0, 1));
        // Nobody else's.
        same(stakes.stake(id, 0).locked, STAKE);
        same(stakes.stake(id, 2).locked, STAKE);
        same(token.balanceOf(address(stakes)), 3 * STAKE);
    }

    function test_whatIsOwedIsCollectedOnceByWhomItIsOwedTo() public {
        slash(update(runId, 1, "a"), update(runId, 1, "b"), 1);
        vm.expectEmit(address(stakes));
        emit IStakes.Collected(CHARITY, STAKE / 2 - STAKE / 20);
        same(stakes.collect(CHARITY), STAKE / 2 - STAKE / 20);
        same(stakes.collect(FINDER), STAKE / 20);
        same(token.balanceOf(CHARITY) + token.balanceOf(FINDER), STAKE / 2);
        same(token.balanceOf(address(stakes)), 3 * STAKE - STAKE / 2);
        expect(abi.encodeWithSelector(IStakes.Stakes_NothingOwed.selector, CHARITY));
        stakes.collect(CHARITY);
        expect(abi.encodeWithSelector(IStakes.Stakes_NothingOwed.selector, TREASURY));
        stakes.collect(TREASURY);
    }

    function test_twoRostersOfOneTermCostAPartOfTheStake() public {
        IStakes.Roster memory a = roster(runId, 2, 3, "a");
        IStakes.Roster memory b = roster(runId, 2, 2, "a");
        bytes memory signatureA = node(runId, 0, this.hashRoster(a));
        bytes memory signatureB = node(runId, 0, this.hashRoster(b));
        vm.expectEmit(address(stakes));
        emit IStakes.Slashed(id, 0, runId, IStakes.Kind.Roster, 1, a.prev, 2, 0, address(this), STAKE / 2, STAKE / 20);
        stakes.slashRosters(address(training), 0, a, b, signatureA, signatureB);
        same(stakes.stake(id, 0).locked, STAKE / 2);
    }

    function test_twoAttestationsOfOneTermCostAPartOfTheStake() public {
        ITraining.Attestation memory a = attestation(runId, 0.4e9, equalRow(3));
        ITraining.Attestation memory b = attestation(runId, 0.4e9 + 1, equalRow(3));
        bytes memory signatureA = node(runId, 2, this.hashAttestation(a));
        bytes memory signatureB = node(runId, 2, this.hashAttestation(b));
        vm.expectEmit(address(stakes));
        emit IStakes.Slashed(
            id, 2, runId, IStakes.Kind.Attestation, 1, a.prev, 0, 2, address(this), STAKE / 2, STAKE / 20
        );
        stakes.slashAttestations(address(training), 2, a, b, signatureA, signatureB);
        same(stakes.stake(id, 2).locked, STAKE / 2);
    }

    function test_eachContradictionCountsOnce() public {
        IStakes.Update memory a = update(runId, 1, "a");
        slash(a, update(runId, 1, "b"), 1);
        bytes32 contradiction = keccak256(abi.encode(IStakes.Kind.Update, runId, 1, a.prev, 0, 1));
        bytes memory reason = abi.encodeWithSelector(IStakes.Stakes_AlreadyProven.selector, contradiction);
        refuse(a, update(runId, 1, "b"), 1, reason);
        // A third message does not make it another.
        refuse(a, update(runId, 1, "c"), 1, reason);
        same(stakes.stake(id, 1).locked, STAKE / 2);
    }

    function test_anotherRoundIsAnotherContradiction() public {
        slash(update(runId, 1, "a"), update(runId, 1, "b"), 1);
        sealRound(runId, 0.5e9, equalRow(3), 3);
        same(slash(update(runId, 1, "a"), update(runId, 1, "b"), 1), STAKE / 4);
        same(stakes.stake(id, 1).locked, STAKE / 4);
    }

    function test_whatIsUnderNoticeIsLostTooUntilItIsWithdrawn() public {
        unlock(unlocking(id, 1, MIN_STAKE, address(0xBA27)), WALLET + 1);
        // Time enough to leave, but it did not.
        vm.warp(START + 30 days);
        same(slash(update(runId, 1, "a"), update(runId, 1, "b"), 1), STAKE / 2);
        same(stakes.stake(id, 1).locked, MIN_STAKE / 2);
        same(stakes.stake(id, 1).leaving, MIN_STAKE / 2);
        same(stakes.withdraw(id, 1), MIN_STAKE / 2);
    }

    function test_whoFallsBelowTheMinimumCountsNoMore() public {
        slash(update(runId, 1, "a"), update(runId, 1, "b"), 1);
        same(stakes.staked(id), 7);
        sealRound(runId, 0.5e9, equalRow(3), 3);
        slash(update(runId, 1, "a"), update(runId, 1, "b"), 1);
        same(stakes.staked(id), 5);
    }

    function test_nodesThatRetiredAnswerForWhatTheySigned() public {
        IStakes.Update memory a = update(runId, 1, "a");
        retire(id, 1, WALLET + 1);
        same(slash(a, update(runId, 1, "b"), 1), STAKE / 2);
    }

    function test_nothingIsTakenWhereNothingIs() public {
        IConsortium.Agreement memory another = draft(3);
        another.document = keccak256("another");
        bytes32 other = gathered(another, 3);
        bytes32 run = createRun(request(other, "another"), WALLET);
        refuse(
            update(run, 1, "a"),
            update(run, 1, "b"),
            1,
            abi.encodeWithSelector(IStakes.Stakes_NothingToSlash.selector, other, 1)
        );
    }

    function test_nothingIsTakenWhereTheAgreementSetsNoPenalty() public {
        IConsortium.Agreement memory mild = staking(3);
        mild.document = keccak256("mild");
        mild.bylaws.penaltyBips = 0;
        bytes32 other = gathered(mild, 3);
        for (uint16 p = 0; p < 3; ++p) {
            deposit(other, p, MIN_STAKE);
        }
        bytes32 run = createRun(request(other, "mild"), WALLET);
        refuse(
            update(run, 1, "a"),
            update(run, 1, "b"),
            1,
            abi.encodeWithSelector(IStakes.Stakes_NothingToSlash.selector, other, 1)
        );
    }

    function test_aRecipientOfPenaltiesThatCannotBePaidBlocksNobodyElse() public {
        BlockingToken blocking = new BlockingToken();
        stakes = new Stakes(consortium, blocking);
        blocking.mint(address(this), STAKE);
        blocking.approve(address(stakes), STAKE);
        stakes.deposit(id, 1, STAKE);
        blocking.block_(CHARITY, true);
        slash(update(runId, 1, "a"), update(runId, 1, "b"), 1);
        expect(abi.encodeWithSelector(BlockingToken.Blocked.selector, CHARITY));
        stakes.collect(CHARITY);
        same(stakes.collect(FINDER), STAKE / 20);
        blocking.block_(CHARITY, false);
        stakes.collect(CHARITY);
    }

    function testFuzz_everyWeiGoesSomewhere(uint96 locked, uint96 leaving, uint16 penaltyBips, uint16 finderBips)
        public
    {
        IConsortium.Agreement memory another = draft(2);
        another.document = keccak256("another");
        another.bylaws.penaltyBips = penaltyBips % 10_001;
        another.bylaws.finderBips = finderBips % 5001;
        bytes32 other = gathered(another, 2);
        bytes32 run = createRun(request(other, "another"), WALLET);
        (locked, leaving) = (locked % 1e26 + 1, leaving % 1e26);
        uint256 others = token.balanceOf(address(stakes));
        deposit(other, 0, uint256(locked) + leaving);
        unlock(unlocking(other, 0, leaving, address(0xBA27)), WALLET);

        uint256 expected = uint256(locked) * another.bylaws.penaltyBips / 10_000 + uint256(leaving)
            * another.bylaws.penaltyBips / 10_000;
        if (expected == 0) return;
        same(slash(update(run, 0, "a"), update(run, 0, "b"), 0), expected);
        IStakes.Stake memory stake = stakes.stake(other, 0);
        same(uint256(stake.locked) + stake.leaving + expected, uint256(locked) + leaving);
        same(stakes.owed(FINDER) + stakes.owed(CHARITY), expected);
        so(stakes.owed(FINDER) * 2 <= expected);
        same(token.balanceOf(address(stakes)) - others, uint256(locked) + leaving);
    }

    // Forged proofs

    function test_othersSignaturesProveNothing() public {
        IStakes.Update memory a = update(runId, 1, "a");
        IStakes.Update memory b = update(runId, 1, "b");
        bytes memory signatureA = node(runId, 1, this.hashUpdate(a));
        bytes memory signatureB = node(runId, 2, this.hashUpdate(b));
        expectWrongSignature(1, 2);
        stakes.slashUpdates(address(training), 1, a, b, signatureA, signatureB);
        expectWrongSignature(1, 2);
        stakes.slashUpdates(address(training), 1, b, a, signatureB, signatureA);
        expect(abi.encodeWithSelector(IStakes.Stakes_WrongSignature.selector, 1, keyOf(1), address(0)));
        stakes.slashUpdates(address(training), 1, a, b, signatureA, "");
    }

    function test_aRegistrationThatIsNotThereCannotBeProven() public {
        IStakes.Update memory a = update(runId, 99, "a");
        IStakes.Update memory b = update(runId, 99, "b");
        vm.expectRevert();
        stakes.slashUpdates(address(training), 99, a, b, new bytes(65), new bytes(65));
    }

    function test_aRunThatIsNotThereCannotBeProven() public {
        IStakes.Update memory a = update(runId, 1, "a");
        IStakes.Update memory b = update(runId, 1, "b");
        a.runId = b.runId = keccak256("nothing");
        bytes memory signatureA = sign(nodeKey[id][1], digestOf(address(training), this.hashUpdate(a)));
        bytes memory signatureB = sign(nodeKey[id][1], digestOf(address(training), this.hashUpdate(b)));
        vm.expectRevert();
        stakes.slashUpdates(address(training), 1, a, b, signatureA, signatureB);
    }

    /// @dev An attacker's contract says of a real, contradicting node under another agreement that the run is one of this
    /// agreement, and that its domain is that of the real Training.
    function test_anInventedTrainingProvesNothing() public {
        bytes32 separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Swarm Learning"),
                keccak256("1"),
                block.chainid,
                address(training)
            )
        );
        address invented = address(new InventedTraining(id, separator));
        IStakes.Update memory a = update(runId, 1, "a");
        IStakes.Update memory b = update(runId, 1, "b");
        bytes memory signatureA = node(runId, 1, this.hashUpdate(a));
        bytes memory signatureB = node(runId, 1, this.hashUpdate(b));
        vm.expectRevert();
        stakes.slashUpdates(invented, 1, a, b, signatureA, signatureB);
        same(stakes.stake(id, 1).locked, STAKE);
    }
}
