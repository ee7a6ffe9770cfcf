// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Stakes} from "../../contracts/Stakes.sol";
import {Roles} from "../../contracts/Roles.sol";
import {SwarmToken} from "../../contracts/SwarmToken.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IStakes} from "../../contracts/interfaces/IStakes.sol";
import {CallingToken, TollToken} from "./Tokens.t.sol";
import {BlockingToken, Changeable, Vaults} from "./Vaults.sol";
import {ContractWallet} from "./Voting.sol";

/// @dev An agreement of three organizations with nodes, each of which has to stake 100 tokens.
contract StakesTest is Vaults {
    address internal constant BANK = address(0xBA27);
    uint256 internal constant DELAY = 600 + 7 days; // stallTime + disputeTime

    bytes32 internal id;

    function setUp() public override {
        super.setUp();
        id = gathered(staking(3), 3);
    }

    function refuse(IStakes.Unlocking memory wanted, uint256 walletKey, bytes memory reason) internal {
        bytes memory signature = sign(walletKey, digestOf(address(stakes), this.hashUnlocking(wanted)));
        expect(reason);
        stakes.unlock(wanted, signature);
    }

    // Deposits

    function test_countsWhoHasTheMinimum() public {
        deposit(id, 1, MIN_STAKE - 1);
        same(stakes.staked(id), 0);
        deposit(id, 1, 1);
        same(stakes.staked(id), 2);
        deposit(id, 0, 3 * MIN_STAKE);
        same(stakes.staked(id), 3);
        same(stakes.stake(id, 1).locked, MIN_STAKE);
        same(token.balanceOf(address(stakes)), 4 * MIN_STAKE);
    }

    function test_anybodyMayDepositForAParty() public {
        allow(BUYER, address(stakes), MIN_STAKE);
        vm.expectEmit(address(stakes));
        emit IStakes.Deposited(id, 2, BUYER, MIN_STAKE);
        vm.prank(BUYER);
        same(stakes.deposit(id, 2, MIN_STAKE), MIN_STAKE);
        same(stakes.staked(id), 4);
    }

    function test_depositsWithAPermit() public {
        (uint8 v, bytes32 r, bytes32 s) = permit(WALLET, address(stakes), 100);
        vm.prank(vm.addr(WALLET));
        same(stakes.depositWithPermit(id, 0, 100, START + 1, v, r, s), 100);
    }

    function test_depositsWithAPermitThatSomebodyElsePostedFirst() public {
        (uint8 v, bytes32 r, bytes32 s) = permit(WALLET, address(stakes), 100);
        SwarmToken(address(token)).permit(vm.addr(WALLET), address(stakes), 100, START + 1, v, r, s);
        vm.prank(vm.addr(WALLET));
        same(stakes.depositWithPermit(id, 0, 100, START + 1, v, r, s), 100);
    }

    function test_refusesEmptyDeposits() public {
        expect(abi.encodeWithSelector(IStakes.Stakes_BadAmount.selector, 0));
        stakes.deposit(id, 0, 0);
    }

    function test_refusesDepositsForNobody() public {
        expect(abi.encodeWithSelector(IConsortium.Consortium_UnknownParty.selector, id, 3));
        stakes.deposit(id, 3, 1);
        expect(abi.encodeWithSelector(IConsortium.Consortium_UnknownAgreement.selector, keccak256("nothing")));
        stakes.deposit(keccak256("nothing"), 0, 1);
    }

    function test_refusesDepositsWhereNobodyWouldReceiveThePenalties() public {
        IConsortium.Agreement memory free = draft(2);
        free.bylaws.penaltyRecipient = address(0);
        bytes32 other = activate(free);
        expect(abi.encodeWithSelector(IStakes.Stakes_NoPenaltyRecipient.selector, other));
        stakes.deposit(other, 0, 1);
    }

    function test_whereNoStakeIsAskedForNobodyIsListed() public {
        bytes32 other = activate(draft(2));
        deposit(other, 0, 5);
        same(stakes.staked(other), 0);
        unlock(unlocking(other, 0, 5, BANK), WALLET);
        same(stakes.staked(other), 0);
    }

    function test_theLargestStakeFits() public {
        SwarmToken big = new SwarmToken("Big", "BIG", type(uint256).max, address(new Roles(address(this))));
        stakes = new Stakes(consortium, big);
        big.mint(address(this), type(uint256).max);
        big.approve(address(stakes), type(uint256).max);
        stakes.deposit(id, 0, type(uint128).max);
        expect(abi.encodeWithSelector(IStakes.Stakes_BadAmount.selector, 1));
        stakes.deposit(id, 0, 1);
        unlock(unlocking(id, 0, type(uint128).max - MIN_STAKE, BANK), WALLET);
        // What is leaving still counts towards what fits.
        expect(abi.encodeWithSelector(IStakes.Stakes_BadAmount.selector, 1));
        stakes.deposit(id, 0, 1);
    }

    // Notice

    function test_noticeLeavesTheMinimumWhereTheOrganizationHasNodes() public {
        deposit(id, 0, 3 * MIN_STAKE);
        refuse(
            unlocking(id, 0, 2 * MIN_STAKE + 1, BANK),
            WALLET,
            abi.encodeWithSelector(IStakes.Stakes_Needed.selector, MIN_STAKE, MIN_STAKE - 1)
        );
        unlock(unlocking(id, 0, 2 * MIN_STAKE, BANK), WALLET);
        same(stakes.staked(id), 1);
        same(stakes.stake(id, 0).locked, MIN_STAKE);
        same(stakes.stake(id, 0).leaving, 2 * MIN_STAKE);
    }

    function test_whoHasNoNodeMayLeaveAltogether() public {
        deposit(id, 0, MIN_STAKE);
        retire(id, 0, WALLET);
        IStakes.Unlocking memory wanted = unlocking(id, 0, MIN_STAKE, BANK);
        bytes memory signature = sign(WALLET, digestOf(address(stakes), this.hashUnlocking(wanted)));
        vm.expectEmit(address(stakes));
        emit IStakes.Unlocked(id, 0, BANK, MIN_STAKE, uint64(START + DELAY));
        stakes.unlock(wanted, signature);
        same(stakes.staked(id), 0);
    }

    function test_whenTheAgreementIsOverEverybodyMayLeave() public {
        deposit(id, 0, MIN_STAKE);
        vm.warp(START + 366 days);
        unlock(unlocking(id, 0, MIN_STAKE, BANK), WALLET);
        vm.warp(START + 366 days + DELAY + 1);
        same(stakes.withdraw(id, 0), MIN_STAKE);
    }

    function test_isWithdrawnByAnyoneToTheRecipientAfterTheDelay() public {
        deposit(id, 0, 3 * MIN_STAKE);
        unlock(unlocking(id, 0, MIN_STAKE, BANK), WALLET);
        vm.warp(START + DELAY);
        expect(abi.encodeWithSelector(IStakes.Stakes_NotYet.selector, START + DELAY));
        stakes.withdraw(id, 0);
        vm.warp(START + DELAY + 1);
        vm.expectEmit(address(stakes));
        emit IStakes.Withdrawn(id, 0, BANK, MIN_STAKE);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(address(stakes), BANK, MIN_STAKE);
        same(stakes.withdraw(id, 0), MIN_STAKE);
        same(token.balanceOf(address(stakes)), 2 * MIN_STAKE);
        expect(abi.encodeWithSelector(IStakes.Stakes_NothingToWithdraw.selector, id, 0));
        stakes.withdraw(id, 0);
    }

    function test_anotherNoticeBeginsTheDelayAnewForAll() public {
        deposit(id, 0, 3 * MIN_STAKE);
        unlock(unlocking(id, 0, MIN_STAKE, BANK), WALLET);
        vm.warp(START + DELAY);
        unlock(unlocking(id, 0, 1, BANK), WALLET);
        vm.warp(START + DELAY + 1);
        expect(abi.encodeWithSelector(IStakes.Stakes_NotYet.selector, START + 2 * DELAY));
        stakes.withdraw(id, 0);
        vm.warp(START + 2 * DELAY + 1);
        same(stakes.withdraw(id, 0), MIN_STAKE + 1);
    }

    function test_aNoticeOfNothingRedirects() public {
        deposit(id, 0, 3 * MIN_STAKE);
        unlock(unlocking(id, 0, MIN_STAKE, address(0x7417F)), WALLET);
        unlock(unlocking(id, 0, 0, BANK), WALLET);
        vm.warp(START + DELAY + 1);
        stakes.withdraw(id, 0);
        same(token.balanceOf(BANK), MIN_STAKE);
    }

    function test_whatIsLeavingStaysUnderNoticeWhenMoreIsDeposited() public {
        deposit(id, 0, 2 * MIN_STAKE);
        unlock(unlocking(id, 0, MIN_STAKE, BANK), WALLET);
        deposit(id, 0, 1);
        same(stakes.stake(id, 0).locked, MIN_STAKE + 1);
        same(stakes.stake(id, 0).leaving, MIN_STAKE);
    }

    function test_aNoticeIsUsedOnce() public {
        deposit(id, 0, 3 * MIN_STAKE);
        IStakes.Unlocking memory wanted = unlocking(id, 0, 1, BANK);
        unlock(wanted, WALLET);
        refuse(wanted, WALLET, abi.encodeWithSelector(IStakes.Stakes_WrongNonce.selector, 1, 0));
    }

    function test_refusesANoticeThatThePartyDidNotSign() public {
        deposit(id, 0, 3 * MIN_STAKE);
        refuse(
            unlocking(id, 0, 1, BANK),
            WALLET + 1,
            abi.encodeWithSelector(IStakes.Stakes_NotTheParty.selector, 0, vm.addr(WALLET + 1))
        );
    }

    function test_refusesANoticeOutOfTime() public {
        deposit(id, 0, 3 * MIN_STAKE);
        IStakes.Unlocking memory wanted = unlocking(id, 0, 1, BANK);
        vm.warp(wanted.deadline + 1);
        refuse(wanted, WALLET, abi.encodeWithSelector(IStakes.Stakes_DeadlinePassed.selector, wanted.deadline));
    }

    function test_refusesANoticeOfMoreThanThereIs() public {
        deposit(id, 0, MIN_STAKE);
        refuse(
            unlocking(id, 0, MIN_STAKE + 1, BANK),
            WALLET,
            abi.encodeWithSelector(IStakes.Stakes_NotThatMuch.selector, MIN_STAKE, MIN_STAKE + 1)
        );
    }

    function test_refusesRecipientsThatWouldLoseIt() public {
        deposit(id, 0, 3 * MIN_STAKE);
        address[3] memory lost = [address(0), address(stakes), address(token)];
        for (uint256 i = 0; i < lost.length; ++i) {
            refuse(
                unlocking(id, 0, 1, lost[i]),
                WALLET,
                abi.encodeWithSelector(IStakes.Stakes_BadRecipient.selector, lost[i])
            );
        }
    }

    function test_aContractWalletGivesNotice() public {
        IConsortium.Agreement memory another = staking(3);
        another.parties[0].wallet = address(new ContractWallet(vm.addr(WALLET)));
        bytes32 other = activate(another);
        deposit(other, 0, MIN_STAKE);
        refuse(
            unlocking(other, 0, 1, BANK),
            WALLET + 1,
            abi.encodeWithSelector(IStakes.Stakes_NotTheParty.selector, 0, vm.addr(WALLET + 1))
        );
        unlock(unlocking(other, 0, MIN_STAKE, BANK), WALLET);
        same(stakes.stake(other, 0).leaving, MIN_STAKE);
    }

    // Other tokens

    function test_aTollIsTakenFromTheDepositor() public {
        TollToken toll = new TollToken();
        stakes = new Stakes(consortium, toll);
        toll.mint(address(this), 1000);
        toll.approve(address(stakes), 1000);
        same(stakes.deposit(id, 0, 1000), 900);
        same(stakes.stake(id, 0).locked, 900);
    }

    function test_aRecipientThatCannotBePaidBlocksNobodyElse() public {
        BlockingToken blocking = new BlockingToken();
        stakes = new Stakes(consortium, blocking);
        blocking.mint(address(this), 10 * MIN_STAKE);
        blocking.approve(address(stakes), 10 * MIN_STAKE);
        stakes.deposit(id, 0, 2 * MIN_STAKE);
        stakes.deposit(id, 1, 2 * MIN_STAKE);
        unlock(unlocking(id, 0, 7, BANK), WALLET);
        unlock(unlocking(id, 1, 8, address(0x600D)), WALLET + 1);
        blocking.block_(BANK, true);
        vm.warp(START + DELAY + 1);
        expect(abi.encodeWithSelector(BlockingToken.Blocked.selector, BANK));
        stakes.withdraw(id, 0);
        same(stakes.withdraw(id, 1), 8);

        // The party sends it elsewhere.
        unlock(unlocking(id, 0, 0, address(0x600D)), WALLET);
        vm.warp(START + 2 * DELAY + 2);
        same(stakes.withdraw(id, 0), 7);
    }

    function test_aTokenThatCallsBackGetsNothingTwice() public {
        CallingToken calling = new CallingToken();
        stakes = new Stakes(consortium, calling);
        calling.mint(address(this), 10 * MIN_STAKE);
        calling.approve(address(stakes), 10 * MIN_STAKE);
        bytes memory again = abi.encodeCall(IStakes.deposit, (id, 0, 1));
        calling.arm(address(stakes), again);
        same(stakes.deposit(id, 0, 2 * MIN_STAKE), 2 * MIN_STAKE);
        same(calling.refused(), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);

        unlock(unlocking(id, 0, 7, BANK), WALLET);
        vm.warp(START + DELAY + 1);
        calling.arm(address(stakes), abi.encodeCall(IStakes.withdraw, (id, 0)));
        same(stakes.withdraw(id, 0), 7);
        same(calling.refused(), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        same(calling.balanceOf(address(stakes)), 2 * MIN_STAKE - 7);
    }
}

/// @dev This agreement's bylaws can be amended.
contract AmendedStakesTest is Vaults {
    bytes32 internal constant AGREEMENT = keccak256("agreement");
    Changeable internal people;

    function setUp() public override {
        super.setUp();
        people = new Changeable();
        stakes = new Stakes(IConsortium(address(people)), token);
        ask(100);
        give(address(this), 1000);
        token.approve(address(stakes), 1000);
        stakes.deposit(AGREEMENT, 0, 100);
        stakes.deposit(AGREEMENT, 1, 200);
        stakes.deposit(AGREEMENT, 2, 99);
        people.setWallet(0, vm.addr(WALLET));
        people.setWallet(1, vm.addr(WALLET + 1));
    }

    function ask(uint128 minStake) internal {
        IConsortium.Bylaws memory changed = bylaws();
        changed.minStake = minStake;
        people.setBylaws(changed);
    }

    function test_anotherMinimumCountsOnceSomebodyRecounts() public {
        same(stakes.staked(AGREEMENT), 3);
        same(stakes.recount(AGREEMENT), 3);
        ask(150);
        same(stakes.staked(AGREEMENT), 3);
        vm.expectEmit(address(stakes));
        emit IStakes.Recounted(AGREEMENT, 2);
        same(stakes.recount(AGREEMENT), 2);
        same(stakes.staked(AGREEMENT), 2);
        ask(99);
        same(stakes.recount(AGREEMENT), 7);
    }

    function test_whereTheMinimumIsDroppedRunsThatAskedForOneCountEverybody() public {
        ask(0);
        same(stakes.staked(AGREEMENT), 3);
        stakes.deposit(AGREEMENT, 2, 1);
        unlock(unlocking(AGREEMENT, 0, 100, address(0xBA27)), WALLET);
        same(stakes.staked(AGREEMENT), 3);
        same(stakes.recount(AGREEMENT), 7);
    }

    function test_whoMovesItsStakeIsJudgedByTheMinimumOfThatTime() public {
        ask(201);
        unlock(unlocking(AGREEMENT, 1, 0, address(0xBA27)), WALLET + 1);
        same(stakes.staked(AGREEMENT), 1);
        stakes.deposit(AGREEMENT, 1, 1);
        same(stakes.staked(AGREEMENT), 3);
    }

    function test_aNewWalletRedirectsWhatAStolenOneGaveNoticeTo() public {
        unlock(unlocking(AGREEMENT, 0, 100, address(0x7417F)), WALLET);
        people.setWallet(0, vm.addr(WALLET + 9));
        IStakes.Unlocking memory wanted = unlocking(AGREEMENT, 0, 0, address(0xBA27));
        unlock(wanted, WALLET + 9);
        vm.warp(START + 1 days + 1);
        stakes.withdraw(AGREEMENT, 0);
        same(token.balanceOf(address(0xBA27)), 100);
    }
}
