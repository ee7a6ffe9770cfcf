// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ICouncil} from "../../contracts/interfaces/ICouncil.sol";
import {ContractWallet, Voting} from "./Voting.sol";

/// @dev One organization, one vote: how many carry a motion, whose votes count, and that no vote counts twice.
contract CouncilTest is Voting {
    bytes32 internal id;

    function setUp() public override {
        super.setUp();
        id = gathered(5);
    }

    /// @dev An agreement of so many parties, of which the last so many have left.
    function shrunk(uint256 parties, uint256 left, uint16 votes) internal returns (bytes32 agreement) {
        IConsortium.Agreement memory wanted = draft(parties);
        wanted.document = keccak256("shrunk");
        wanted.bylaws.votes = votes;
        agreement = activate(wanted);
        for (uint256 p = parties - left; p < parties; ++p) {
            leave_(agreement, uint16(p));
        }
    }

    /// @dev Written as the words say, not as the contract does: the least number above two thirds.
    function threshold(uint256 organizations, uint256 votes) internal pure returns (uint256 least) {
        if (votes != 0) return votes < organizations ? votes : organizations;
        while (least * 3 <= organizations * 2) ++least;
    }

    function refuseVotes(uint256 votes, uint256 least) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(ICouncil.Council_TooFewVotes.selector, votes, least);
    }

    // How many

    function test_moreThanTwoThirdsForEverySizeOfConsortium() public {
        uint8[9] memory expected = [2, 3, 3, 4, 5, 5, 6, 7, 7]; // of 2, 3, ... 10
        for (uint256 n = 2; n <= 64; ++n) {
            bytes32 agreement = activate(draft(n));
            (uint64 all, uint256 least) = council.electorate(agreement, ICouncil.Action.Terminate, 0);
            same(all, n == 64 ? type(uint64).max : (1 << n) - 1);
            same(least, threshold(n, 0));
            if (n <= 10) same(least, expected[n - 2]);
            (, least) = council.electorate(agreement, ICouncil.Action.Remove, 1);
            same(least, threshold(n - 1, 0));
            redeploy();
        }
    }

    function testFuzz_theElectorateIsWhoIsNeitherOutNorConcerned(uint256 n, uint256 left, uint256 votes, uint16 party)
        public
    {
        n = 2 + n % 23;
        left %= n - 1;
        votes = votes % 2 == 0 ? 0 : n / 2 + 1 + votes % (n - n / 2);
        bytes32 agreement = shrunk(n, left, uint16(votes));
        party %= uint16(n - left);
        (uint64 all, uint256 least) = council.electorate(agreement, ICouncil.Action.Suspend, party);
        same(all, uint64((uint256(1) << (n - left)) - 1));
        same(least, threshold(n - left, votes));
        (all, least) = council.electorate(agreement, ICouncil.Action.ReplaceWallet, party);
        same(all, uint64(((uint256(1) << (n - left)) - 1) ^ (uint256(1) << party)));
        same(least, threshold(n - left - 1, votes));
    }

    function testFuzz_exactlyTheThresholdCarriesAndOneFewerDoesNot(uint256 n, uint256 votes, uint256 what) public {
        n = 2 + n % 11;
        votes = votes % 2 == 0 ? 0 : n / 2 + 1 + votes % (n - n / 2);
        bytes32 agreement = shrunk(n, 0, uint16(votes));
        bool removing = what % 2 == 0;
        uint256 least = threshold(removing ? n - 1 : n, votes);
        ICouncil.Motion memory wanted = motion(agreement, removing ? ICouncil.Action.Remove : ICouncil.Action.Suspend);
        refuseMotion(wanted, some(wanted, least - 1), refuseVotes(least - 1, least));
        decide(wanted, some(wanted, least));
        same(council.nonce(agreement), 1);
    }

    function test_allOfTheLargestConsortiumMayVote() public {
        bytes32 agreement = activate(draft(64));
        decide(motion(agreement, ICouncil.Action.Suspend), first(64));
        inState(agreement, IConsortium.State.Suspended);
    }

    function test_nobodysConsentCarriesNothing() public {
        bytes32 pair = activate(draft(2));
        leave_(pair, 1);
        ICouncil.Motion memory wanted = motion(pair, ICouncil.Action.ReplaceWallet, 0, vm.addr(SPARE));
        refuseMotion(wanted, first(0), refuseVotes(0, 1));
        refuseMotion(wanted, first(1), abi.encodeWithSelector(ICouncil.Council_NoVote.selector, 0));

        IConsortium.Agreement memory fixedVotes = draft(2);
        (fixedVotes.document, fixedVotes.bylaws.votes) = (keccak256("fixed"), 2);
        pair = activate(fixedVotes);
        leave_(pair, 1);
        refuseMotion(motion(pair, ICouncil.Action.ReplaceWallet, 0, vm.addr(SPARE)), first(0), refuseVotes(0, 1));
    }

    // Whose votes

    function test_theOneConcernedIsNotHeard() public {
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.Remove, 1, address(0));
        refuseMotion(wanted, first(5), abi.encodeWithSelector(ICouncil.Council_NoVote.selector, 1));
        same(needed(wanted), 3);
        carry(wanted);
        so(consortium.isOut(id, 1));
    }

    function test_whoIsOutHasNoVote() public {
        leave_(id, 0);
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.Suspend);
        refuseMotion(wanted, first(5), abi.encodeWithSelector(ICouncil.Council_NoVote.selector, 0));
        same(needed(wanted), 3);
        carry(wanted);
    }

    function test_whoIsNoPartyHasNoVote() public {
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.Suspend);
        uint16[] memory six = first(6);
        refuseMotion(wanted, six, abi.encodeWithSelector(ICouncil.Council_NoVote.selector, 5));
        six[5] = 65_535;
        refuseMotion(wanted, six, abi.encodeWithSelector(ICouncil.Council_NoVote.selector, 65_535));
    }

    function test_nobodyVotesTwice() public {
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.Suspend);
        uint16[] memory twice = first(4);
        twice[3] = 2;
        refuseMotion(wanted, twice, abi.encodeWithSelector(ICouncil.Council_VotersNotAscending.selector, 2));
        twice[3] = 0;
        refuseMotion(wanted, twice, abi.encodeWithSelector(ICouncil.Council_VotersNotAscending.selector, 0));
    }

    function test_aNodeOfAPartyCannotVoteForIt() public {
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.Suspend);
        useKey(3, nodeKey[id][3]);
        refuseMotion(
            wanted, first(4), abi.encodeWithSelector(ICouncil.Council_NotTheParty.selector, 3, vm.addr(WALLET + 3))
        );
    }

    function test_aSignatureInAnothersPlaceCountsForNobody() public {
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.Suspend);
        bytes[] memory all = ballots(wanted, first(4));
        (all[0], all[1]) = (all[1], all[0]);
        expect(abi.encodeWithSelector(ICouncil.Council_NotTheParty.selector, 0, vm.addr(WALLET)));
        council.decide(wanted, first(4), all);
    }

    function test_everyVoterComesWithOneSignature() public {
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.Suspend);
        bytes[] memory all = ballots(wanted, first(5));
        expect(abi.encodeWithSelector(ICouncil.Council_SignatureCount.selector, 4, 5));
        council.decide(wanted, first(4), all);
        all = ballots(wanted, first(3));
        expect(abi.encodeWithSelector(ICouncil.Council_SignatureCount.selector, 4, 3));
        council.decide(wanted, first(4), all);
    }

    function test_aContractWalletVotesByItsOwner() public {
        IConsortium.Agreement memory agreement = draft(3);
        agreement.parties[2].wallet = address(new ContractWallet(vm.addr(WALLET + 2)));
        bytes32 trio = activate(agreement);
        ICouncil.Motion memory wanted = motion(trio, ICouncil.Action.Suspend);
        useKey(2, STRANGER);
        refuseMotion(
            wanted,
            first(3),
            abi.encodeWithSelector(ICouncil.Council_NotTheParty.selector, 2, agreement.parties[2].wallet)
        );
        useKey(2, WALLET + 2);
        decide(wanted, first(3));
        inState(trio, IConsortium.State.Suspended);
    }

    function test_aMovedWalletVotesAndTheOldOneDoesNot() public {
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.Suspend);
        bytes[] memory before = ballots(wanted, first(4));
        moveTo(id, 2, SPARE + 2);
        expect(abi.encodeWithSelector(ICouncil.Council_NotTheParty.selector, 2, vm.addr(SPARE + 2)));
        council.decide(wanted, first(4), before);
        decide(wanted, first(4));
    }

    // Once, in time, and nothing else

    function test_aMotionIsCarriedOnce() public {
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.Suspend);
        bytes[] memory all = ballots(wanted, first(4));
        vm.expectEmit(address(council));
        emit ICouncil.Decided(id, ICouncil.Action.Suspend, 0, address(0), 0);
        council.decide(wanted, first(4), all);
        carry(id, ICouncil.Action.Resume);
        expect(abi.encodeWithSelector(ICouncil.Council_WrongNonce.selector, 2, 0));
        council.decide(wanted, first(4), all);
        inState(id, IConsortium.State.Active);
    }

    function test_votesForALaterMotionAreOfNoUseNow() public {
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.Terminate);
        wanted.nonce = 1;
        refuseMotion(wanted, first(5), abi.encodeWithSelector(ICouncil.Council_WrongNonce.selector, 0, 1));
    }

    function test_noncesAreCountedForEachAgreement() public {
        IConsortium.Agreement memory another = draft(5);
        another.document = keccak256("another");
        bytes32 other = activate(another);
        carry(id, ICouncil.Action.Suspend);
        same(council.nonce(id), 1);
        same(council.nonce(other), 0);
    }

    function test_aMotionThatFailsLeavesItsNonce() public {
        refuseMotion(
            motion(id, ICouncil.Action.Resume),
            first(5),
            abi.encodeWithSelector(IConsortium.Consortium_WrongState.selector, id, IConsortium.State.Active)
        );
        same(council.nonce(id), 0);
    }

    function test_votesCountUntilTheDeadline() public {
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.Suspend);
        vm.warp(wanted.deadline + 1);
        refuseMotion(
            wanted, first(5), abi.encodeWithSelector(ICouncil.Council_DeadlinePassed.selector, wanted.deadline)
        );
        vm.warp(wanted.deadline);
        decide(wanted, first(5));
    }

    function test_votesAreForOneAgreementDeploymentAndChain() public {
        IConsortium.Agreement memory another = draft(5);
        another.document = keccak256("another");
        bytes32 other = activate(another);
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.Suspend);
        bytes[] memory all = ballots(wanted, first(4));
        bytes memory reason = abi.encodeWithSelector(ICouncil.Council_NotTheParty.selector, 0, vm.addr(WALLET));
        wanted.agreement = other;
        expect(reason);
        council.decide(wanted, first(4), all);

        wanted.agreement = id;
        ICouncil here = council;
        redeploy();
        activate(draft(5));
        expect(reason);
        council.decide(wanted, first(4), all);

        vm.chainId(5);
        expect(reason);
        here.decide(wanted, first(4), all);
    }

    function testFuzz_votesAreForNothingElse(uint8 action, uint16 party, address wallet, uint64 deadline) public {
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.Remove, 4, address(0));
        bytes[] memory all = ballots(wanted, first(4));
        wanted.action = ICouncil.Action(action % 5);
        wanted.party = party;
        wanted.wallet = wallet;
        wanted.deadline = deadline;
        vm.assume(wanted.action != ICouncil.Action.Remove || party != 4 || wallet != address(0) || deadline != soon());
        vm.expectRevert();
        council.decide(wanted, first(4), all);
        same(council.nonce(id), 0);
    }

    function test_nothingIsSignedThatHasNoEffect() public {
        for (uint8 a = 0; a < 4; ++a) {
            ICouncil.Action action = ICouncil.Action(a);
            bytes memory reason = abi.encodeWithSelector(ICouncil.Council_BadMotion.selector, action);
            refuseMotion(motion(id, action, 0, vm.addr(SPARE)), first(5), reason);
            if (action != ICouncil.Action.Remove) refuseMotion(motion(id, action, 1, address(0)), first(5), reason);
        }
    }

    function test_unknownAgreementsAndPartiesAreNamed() public {
        bytes32 nothing = keccak256("nothing");
        bytes memory reason = abi.encodeWithSelector(IConsortium.Consortium_UnknownAgreement.selector, nothing);
        ICouncil.Motion memory wanted = ICouncil.Motion(nothing, ICouncil.Action.Suspend, 0, address(0), 0, soon());
        refuseMotion(wanted, first(2), reason);
        expect(reason);
        council.requireVotes(nothing, 0, first(0), new bytes[](0));
        reason = abi.encodeWithSelector(IConsortium.Consortium_UnknownParty.selector, id, 5);
        refuseMotion(motion(id, ICouncil.Action.Remove, 5, address(0)), first(5), reason);
        refuseMotion(motion(id, ICouncil.Action.ReplaceWallet, 5, vm.addr(SPARE)), first(5), reason);
        refuseMotion(
            motion(id, ICouncil.Action.Remove, 300, address(0)),
            first(5),
            abi.encodeWithSelector(IConsortium.Consortium_UnknownParty.selector, id, 300)
        );
    }

    // What other contracts ask

    function test_otherContractsAskWhetherTheOrganizationsCarryADigest() public {
        bytes32 digest = keccak256("price");
        council.requireVotes(id, digest, first(4), ballots(digest, first(4)));
        bytes[] memory three = ballots(digest, first(3));
        expect(refuseVotes(3, 4));
        council.requireVotes(id, digest, first(3), three);
        bytes[] memory all = ballots(digest, first(4));
        expect(abi.encodeWithSelector(ICouncil.Council_NotTheParty.selector, 0, vm.addr(WALLET)));
        council.requireVotes(id, keccak256("another price"), first(4), all);
        leave_(id, 0);
        expect(abi.encodeWithSelector(ICouncil.Council_NoVote.selector, 0));
        council.requireVotes(id, digest, first(4), all);
    }

    function test_theyMayAskWhenTheAgreementIsOver() public {
        bytes32 digest = keccak256("price");
        carry(id, ICouncil.Action.Terminate);
        council.requireVotes(id, digest, first(4), ballots(digest, first(4)));
    }

    // Nobody else

    function test_theConsortiumFollowsItsCouncilOnly() public {
        leave_(id, 4);
        address[6] memory callers = [
            address(this),
            vm.addr(WALLET),
            vm.addr(WALLET + 4),
            vm.addr(nodeKey[id][0]),
            address(new ContractWallet(vm.addr(WALLET))),
            address(consortium)
        ];
        for (uint256 i = 0; i < callers.length; ++i) {
            for (uint8 a = 0; a <= uint8(type(ICouncil.Action).max); ++a) {
                vm.prank(callers[i]);
                expect(abi.encodeWithSelector(IConsortium.Consortium_NotTheCouncil.selector, callers[i]));
                consortium.carry(id, ICouncil.Action(a), 1, vm.addr(SPARE), uint40(START));
            }
        }
        same(address(council.consortium()), address(consortium));
    }
}
