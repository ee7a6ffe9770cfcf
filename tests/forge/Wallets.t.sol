// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ICouncil} from "../../contracts/interfaces/ICouncil.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {ContractWallet, Voting} from "./Voting.sol";

/// @dev Wallets that are moved by their parties, lost and replaced by vote, or said to be lost and are not.
contract WalletsTest is Voting {
    bytes32 internal id;
    address internal lost;
    address internal spare;

    function setUp() public override {
        super.setUp();
        id = gathered(5);
        lost = vm.addr(WALLET + 1);
        spare = vm.addr(SPARE + 1);
    }

    function coming(uint16 party) internal view returns (address wallet) {
        (wallet,) = consortium.replacement(id, party);
    }

    function refuseMove(ICouncil.Move memory wanted, uint256 oldKey, uint256 newKey, bytes memory reason) internal {
        bytes32 digest = digestOf(address(council), this.hashMove(wanted));
        bytes memory oldSignature = sign(oldKey, digest);
        bytes memory newSignature = sign(newKey, digest);
        expect(reason);
        council.moveWallet(wanted, oldSignature, newSignature);
    }

    function refuseVeto(ICouncil.Veto memory wanted, uint256 key, bytes memory reason) internal {
        bytes memory signature = vetoBy(wanted, key);
        expect(reason);
        council.veto(wanted, signature);
    }

    function notTheParty(address wallet) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(ICouncil.Council_NotTheParty.selector, 1, wallet);
    }

    function taken(address wallet) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IConsortium.Consortium_WalletTaken.selector, wallet);
    }

    // Replaced by vote

    function test_aLostWalletIsReplacedOnceItsDelayIsOver() public {
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.ReplaceWallet, 1, spare);
        uint16[] memory others = some(wanted, 3);
        bytes[] memory all = ballots(wanted, others);
        vm.expectEmit(address(consortium));
        emit IConsortium.WalletChanged(id, 1, spare, uint64(START + 7 days));
        council.decide(wanted, others, all);

        (address wallet, uint64 from) = consortium.replacement(id, 1);
        same(wallet, spare);
        same(from, START + 7 days);
        vm.warp(START + 7 days - 1);
        same(consortium.wallet(id, 1), lost);
        same(consortium.parties(id)[1].wallet, lost);
        vm.warp(START + 7 days);
        same(consortium.wallet(id, 1), spare);
        same(consortium.parties(id)[1].wallet, spare);
        (wallet, from) = consortium.replacement(id, 1);
        same(wallet, address(0));
        same(from, 0);
    }

    function test_theNewWalletSpeaksForThePartyAndTheOldOneNoMore() public {
        replaceWallet(id, 1, spare);
        enroll(enrollment(id, 1, "before", 1), WALLET + 1, 1);
        vm.warp(START + 7 days);
        IConsortium.Enrollment memory wanted = enrollment(id, 1, "after", 2);
        bytes32 digest = digestOf(address(consortium), this.hashEnrollment(wanted));
        bytes memory byTheOld = sign(WALLET + 1, digest);
        bytes memory byTheKey = sign(2, digest);
        expect(abi.encodeWithSelector(IConsortium.Consortium_NotTheParty.selector, 1, lost));
        consortium.enroll(wanted, byTheOld, byTheKey);
        enroll(wanted, SPARE + 1, 2);
        (IConsortium.Leaving memory leaving, bytes memory signature) = leavingBy(id, 1, WALLET + 1);
        expect(abi.encodeWithSelector(IConsortium.Consortium_NotTheParty.selector, 1, lost));
        consortium.leaveAgreement(leaving, signature);
    }

    function test_accruedRewardsFollow() public {
        bytes32 runId = createRun(id);
        fund(runId, FUNDS);
        sealRound(runId, CEILING, "", 5);
        sealRound(runId, TARGET, equalRow(5), 5);
        replaceWallet(id, 1, spare);
        vm.warp(START + 7 days);
        IRewards.Claim memory wanted = claimOf(runId, 1, spare);
        bytes memory byTheOld = sign(WALLET + 1, digestOf(address(rewards), this.hashClaim(wanted)));
        vm.expectRevert();
        rewards.claim(wanted, byTheOld);
        same(claim(wanted, SPARE + 1), FUNDS / 5);
    }

    function test_theWalletOfWhoIsOutIsReplacedToo() public {
        leave_(id, 1);
        replaceWallet(id, 1, spare);
        vm.warp(START + 7 days);
        same(consortium.wallet(id, 1), spare);
    }

    function test_withoutADelayItIsReplacedAtOnce() public {
        IConsortium.Agreement memory agreement = draft(3);
        agreement.bylaws.walletDelay = 0;
        bytes32 hasty = activate(agreement);
        replaceWallet(hasty, 1, spare);
        same(consortium.wallet(hasty, 1), spare);
    }

    function test_aLaterVoteTakesTheEarliersPlace() public {
        replaceWallet(id, 1, spare);
        vm.warp(START + 6 days);
        replaceWallet(id, 1, vm.addr(SPARE + 9));
        vm.warp(START + 7 days);
        same(consortium.wallet(id, 1), lost);
        vm.warp(START + 13 days);
        same(consortium.wallet(id, 1), vm.addr(SPARE + 9));
    }

    function test_aWalletThatHasComeIsKeptWhenTheNextIsVoted() public {
        replaceWallet(id, 1, spare);
        vm.warp(START + 8 days);
        replaceWallet(id, 1, vm.addr(SPARE + 9));
        same(consortium.wallet(id, 1), spare);
        vm.warp(START + 15 days);
        same(consortium.wallet(id, 1), vm.addr(SPARE + 9));
    }

    function testFuzz_thereIsAlwaysOneWalletAndItChangesOnTime(uint32 delay, uint64 elapsed) public {
        IConsortium.Agreement memory agreement = draft(3);
        agreement.bylaws.walletDelay = delay;
        bytes32 any = activate(agreement);
        replaceWallet(any, 1, spare);
        elapsed %= uint64(delay) * 2 + 2;
        vm.warp(START + elapsed);
        same(consortium.wallet(any, 1), elapsed >= delay ? spare : lost);
        (address next,) = consortium.replacement(any, 1);
        same(next, elapsed >= delay ? address(0) : spare);
    }

    // Vetoed: a wallet that others want to have is not lost

    function test_whoseWalletIsNotLostKeepsIt() public {
        replaceWallet(id, 1, spare);
        vm.warp(START + 7 days - 1);
        ICouncil.Veto memory wanted = veto(id, 1, spare);
        bytes memory signature = vetoBy(wanted, WALLET + 1);
        vm.expectEmit(address(council));
        emit ICouncil.Vetoed(id, 1, spare);
        council.veto(wanted, signature);
        same(coming(1), address(0));
        vm.warp(START + 30 days);
        same(consortium.wallet(id, 1), lost);
    }

    function test_onlyTheWalletItselfVetoes() public {
        leave_(id, 4);
        replaceWallet(id, 1, spare);
        ICouncil.Veto memory wanted = veto(id, 1, spare);
        uint256[5] memory others = [WALLET, SPARE + 1, WALLET + 4, STRANGER, nodeKey[id][1]];
        for (uint256 i = 0; i < others.length; ++i) {
            refuseVeto(wanted, others[i], notTheParty(lost));
        }
    }

    function test_aVetoIsForTheReplacementUnderWay() public {
        bytes memory nothing = abi.encodeWithSelector(ICouncil.Council_NothingToVeto.selector, 1, spare);
        refuseVeto(veto(id, 1, spare), WALLET + 1, nothing);
        refuseVeto(
            veto(id, 1, address(0)),
            WALLET + 1,
            abi.encodeWithSelector(ICouncil.Council_NothingToVeto.selector, 1, address(0))
        );
        replaceWallet(id, 1, vm.addr(SPARE + 9));
        refuseVeto(veto(id, 1, spare), WALLET + 1, nothing);
        vm.warp(START + 7 days);
        refuseVeto(
            veto(id, 1, vm.addr(SPARE + 9)),
            WALLET + 1,
            abi.encodeWithSelector(ICouncil.Council_NothingToVeto.selector, 1, vm.addr(SPARE + 9))
        );
    }

    function test_aVetoServesOnceAndInTime() public {
        replaceWallet(id, 1, spare);
        ICouncil.Veto memory wanted = veto(id, 1, spare);
        wanted.deadline = uint64(START + 365 days);
        council.veto(wanted, vetoBy(wanted, WALLET + 1));
        replaceWallet(id, 1, spare); // now the key is lost indeed
        refuseVeto(wanted, WALLET + 1, abi.encodeWithSelector(ICouncil.Council_WrongNonce.selector, 3, 1));
        wanted = veto(id, 1, spare);
        vm.warp(wanted.deadline + 1);
        refuseVeto(
            wanted, WALLET + 1, abi.encodeWithSelector(ICouncil.Council_DeadlinePassed.selector, wanted.deadline)
        );
    }

    // Moved by the party

    function test_aPartyMovesItsWalletAtOnce() public {
        ICouncil.Move memory wanted = move(id, 1, spare);
        bytes32 digest = digestOf(address(council), this.hashMove(wanted));
        bytes memory byTheOld = sign(WALLET + 1, digest);
        bytes memory byTheNew = sign(SPARE + 1, digest);
        vm.expectEmit(address(consortium));
        emit IConsortium.WalletChanged(id, 1, spare, uint64(START));
        council.moveWallet(wanted, byTheOld, byTheNew);
        same(consortium.wallet(id, 1), spare);
        same(council.walletNonce(id, 1), 1);
        same(council.walletNonce(id, 0), 0);
    }

    function test_aMoveEndsAReplacement() public {
        replaceWallet(id, 1, vm.addr(SPARE + 9));
        moveTo(id, 1, SPARE + 1);
        same(coming(1), address(0));
        vm.warp(START + 30 days);
        same(consortium.wallet(id, 1), spare);
    }

    function test_aMoveToAContractWalletAndBack() public {
        ContractWallet safe = new ContractWallet(vm.addr(SPARE + 1));
        ICouncil.Move memory wanted = move(id, 1, address(safe));
        bytes32 digest = digestOf(address(council), this.hashMove(wanted));
        council.moveWallet(wanted, sign(WALLET + 1, digest), sign(SPARE + 1, digest));
        wanted = move(id, 1, lost);
        digest = digestOf(address(council), this.hashMove(wanted));
        council.moveWallet(wanted, sign(SPARE + 1, digest), sign(WALLET + 1, digest));
        same(consortium.wallet(id, 1), lost);
    }

    function test_bothWalletsSignAMove() public {
        ICouncil.Move memory wanted = move(id, 1, spare);
        uint256[5] memory others = [WALLET, WALLET + 2, SPARE + 1, STRANGER, nodeKey[id][1]];
        for (uint256 i = 0; i < others.length; ++i) {
            refuseMove(wanted, others[i], SPARE + 1, notTheParty(lost));
        }
        refuseMove(wanted, WALLET + 1, STRANGER, notTheParty(spare));
        refuseMove(move(id, 1, address(0)), WALLET + 1, STRANGER, notTheParty(address(0)));
    }

    function test_aMoveServesOnceAndInTime() public {
        ICouncil.Move memory there = move(id, 1, spare);
        there.deadline = uint64(START + 365 days);
        bytes32 digest = digestOf(address(council), this.hashMove(there));
        council.moveWallet(there, sign(WALLET + 1, digest), sign(SPARE + 1, digest));
        useKey(1, SPARE + 1);
        moveTo(id, 1, WALLET + 1);
        refuseMove(there, WALLET + 1, SPARE + 1, abi.encodeWithSelector(ICouncil.Council_WrongNonce.selector, 2, 0));
        there = move(id, 1, spare);
        vm.warp(there.deadline + 1);
        refuseMove(
            there,
            WALLET + 1,
            SPARE + 1,
            abi.encodeWithSelector(ICouncil.Council_DeadlinePassed.selector, there.deadline)
        );
    }

    // One wallet, one vote

    function test_aWalletIsThatOfOnePartyOnly() public {
        refuseMove(move(id, 1, vm.addr(WALLET + 2)), WALLET + 1, WALLET + 2, taken(vm.addr(WALLET + 2)));
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.ReplaceWallet, 1, vm.addr(WALLET + 2));
        refuseMotion(wanted, some(wanted, 3), taken(vm.addr(WALLET + 2)));
        wanted.wallet = address(0);
        refuseMotion(wanted, some(wanted, 3), taken(address(0)));
        leave_(id, 2);
        refuseMove(move(id, 1, vm.addr(WALLET + 2)), WALLET + 1, WALLET + 2, taken(vm.addr(WALLET + 2)));
    }

    function test_aWalletThatIsToBecomeAPartysIsItsAlready() public {
        replaceWallet(id, 2, spare);
        refuseMove(move(id, 1, spare), WALLET + 1, SPARE + 1, taken(spare));
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.ReplaceWallet, 1, spare);
        refuseMotion(wanted, some(wanted, 3), taken(spare));
        vm.warp(START + 7 days);
        refuseMove(move(id, 1, spare), WALLET + 1, SPARE + 1, taken(spare));
    }

    function test_aWalletThatWasGivenUpIsFree() public {
        moveTo(id, 2, SPARE + 2);
        ICouncil.Move memory wanted = move(id, 1, vm.addr(WALLET + 2));
        bytes32 digest = digestOf(address(council), this.hashMove(wanted));
        council.moveWallet(wanted, sign(WALLET + 1, digest), sign(WALLET + 2, digest));
        same(consortium.wallet(id, 1), vm.addr(WALLET + 2));
    }

    function test_walletsChangeWhenTheAgreementIsOverToo() public {
        carry(id, ICouncil.Action.Terminate);
        moveTo(id, 1, SPARE + 1);
        replaceWallet(id, 2, vm.addr(SPARE + 2));
        vm.warp(START + 7 days);
        same(consortium.wallet(id, 1), spare);
        same(consortium.wallet(id, 2), vm.addr(SPARE + 2));
    }
}
