// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ICouncil} from "../../contracts/interfaces/ICouncil.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {ContractWallet, Voting} from "./Voting.sol";

/// @dev An agreement of three, and its next version.
abstract contract Amended is Voting {
    bytes32 internal id;

    function setUp() public override {
        super.setUp();
        id = gathered(3);
    }

    function next() internal view returns (IConsortium.Agreement memory) {
        return amendment(id, draft(3));
    }

    function badParty(uint16 party) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IConsortium.Consortium_BadParties.selector, party);
    }

    function notSigned(uint256 party) internal view returns (bytes memory) {
        return
            abi.encodeWithSelector(
                IConsortium.Consortium_NotSigned.selector, party, consortium.wallet(id, uint16(party))
            );
    }
}

/// @dev What all parties may change together, and that nobody is bound by what he did not sign.
contract AmendmentsTest is Amended {
    // What it changes

    function test_replacesWhatTheAgreementSays() public {
        IConsortium.Agreement memory amended = next();
        amended.purpose = "tell benign from malignant, of any size";
        amended.notBefore = uint64(START);
        amended.notAfter = uint64(START + 1000 days);
        amended.bylaws.votes = 2;
        amended.bylaws.disputeTime = 1 days;
        amended.terms.stallTime = 900;
        amended.terms.targetLoss = 0.05e9;
        amended.parties[2].weight = 7;

        bytes32 root = linked(latest(id).root, 7, 0);
        bytes32 hash = this.hashAgreement(amended);
        bytes32 termsHash = consortium.hashTerms(amended.terms);
        bytes[] memory all = allSign(amended);
        vm.expectEmit(address(consortium));
        emit IConsortium.AgreementAmended(id, amended.document, termsHash, 3, hash, 2, 4);
        same(consortium.activate(amended, all), id);

        same(consortium.version(id), 2);
        same(consortium.agreementHash(id), hash);
        same(consortium.termsHash(id), termsHash);
        same(consortium.bylaws(id).votes, 2);
        same(consortium.unlockDelay(id), 900 + 1 days);
        same(consortium.parties(id)[2].weight, 7);
        same(consortium.parties(id)[0].weight, 1);
        (uint64 notBefore, uint64 notAfter) = consortium.period(id);
        so(notBefore == START && notAfter == START + 1000 days);
        IConsortium.Snapshot memory snapshot = latest(id);
        so(snapshot.version == 4 && snapshot.active == 7 && snapshot.root == root);
        inState(id, IConsortium.State.Active);
        inState(hash, IConsortium.State.None);
    }

    function test_theFirstVersionIsTheAgreementItself() public view {
        same(consortium.version(id), 1);
        same(consortium.agreementHash(id), id);
    }

    function test_nodesStayAndNewPartiesBringTheirs() public {
        same(amend(grown(next())), id);
        same(consortium.partyCount(id), 4);
        same(latest(id).active, 7);
        consortium.members(id, 4, first(3));
        so(enroll(id, 3, "n1") == 3);
        same(latest(id).active, 15);
        same(consortium.registrations(id)[3].spiffeId, "spiffe://swarm.example/org/hospital-3/node/n1");
    }

    function test_goesOnFromVersionToVersion() public {
        IConsortium.Agreement memory second = grown(next());
        amend(second);
        IConsortium.Agreement memory third = grown(amendment(id, second));
        same(amend(third), id);
        same(consortium.version(id), 3);
        same(consortium.agreementHash(id), this.hashAgreement(third));
        same(consortium.partyCount(id), 5);
    }

    function test_runningRunsKeepTheTermsTheyWereCreatedWith() public {
        bytes32 runId = createRun(id);
        sealRound(runId, CEILING, "", 2);
        IConsortium.Agreement memory amended = next();
        amended.terms.maxRounds = 1;
        amend(amended);
        sealRound(runId, 0.6e9, "", 2);
        so(training.run(runId).state == ITraining.State.Open);

        bytes32 later = createRun(request(id, "later"), WALLET);
        sealRound(later, CEILING, "", 2);
        sealRound(later, 0.6e9, "", 2);
        so(training.run(later).state == ITraining.State.Finished);
    }

    function test_stakeStaysLockedAsLongAsTheRunsOfEarlierVersionsNeed() public {
        IConsortium.Agreement memory shorter = next();
        (shorter.terms.stallTime, shorter.bylaws.disputeTime) = (31, 1 days);
        amend(shorter);
        same(consortium.unlockDelay(id), 600 + 1 days);
    }

    function test_upToSixtyFourParties() public {
        IConsortium.Agreement memory many = draft(63);
        bytes32 large = activate(many);
        IConsortium.Agreement memory full = grown(amendment(large, many));
        amend(full);
        same(consortium.partyCount(large), 64);
        refuseAmendment(grown(amendment(large, full)), badParty(65));
    }

    // Who signs

    function test_needsEveryPartyAndEveryNewOne() public {
        IConsortium.Agreement memory amended = grown(next());
        for (uint256 p = 0; p < 4; ++p) {
            bytes[] memory all = allSign(amended);
            all[p] = signatureOf(amended, STRANGER);
            expect(abi.encodeWithSelector(IConsortium.Consortium_NotSigned.selector, p, amended.parties[p].wallet));
            consortium.activate(amended, all);
        }
        so(amend(amended) == id);
    }

    function test_whoIsOutStaysListedAndDoesNotSign() public {
        leave_(id, 1);
        IConsortium.Agreement memory amended = next();
        bytes memory signature = signatureOf(amended, WALLET + 1);
        expect(abi.encodeWithSelector(IConsortium.Consortium_NothingToSign.selector, 1));
        consortium.sign(amended, 1, signature);

        bytes[] memory all = allSign(amended);
        all[1] = "";
        same(consortium.activate(amended, all), id);
        so(consortium.isOut(id, 1));
        same(latest(id).active, 5);
    }

    function test_isMeasuredByThoseWhoAreLeft() public {
        IConsortium.Agreement memory many = draft(6);
        bytes32 large = activate(many);
        for (uint16 p = 3; p < 6; ++p) {
            leave_(large, p);
        }
        IConsortium.Agreement memory amended = amendment(large, many);
        amended.terms.minPeers = 4;
        refuseAmendment(amended, abi.encodeWithSelector(IConsortium.Consortium_BadTerms.selector, "minPeers"));
        amended.terms.minPeers = 3;
        amended.bylaws.votes = 4;
        refuseAmendment(amended, abi.encodeWithSelector(IConsortium.Consortium_BadTerms.selector, "votes"));
        amended.bylaws.votes = 2;
        amend(amended);
    }

    function test_whoLeavesMeanwhileIsNotWaitedFor() public {
        IConsortium.Agreement memory amended = next();
        signOne(amended, 0);
        signOne(amended, 1);
        inState(id, IConsortium.State.Amending);
        leave_(id, 2);
        same(consortium.activate(amended, new bytes[](0)), id);
        same(consortium.version(id), 2);
    }

    function test_isMeasuredAgainWhenSomebodyLeftMeanwhile() public {
        IConsortium.Agreement memory amended = next();
        amended.terms.minPeers = 3;
        signOne(amended, 2);
        leave_(id, 2);
        refuseAmendment(amended, abi.encodeWithSelector(IConsortium.Consortium_BadTerms.selector, "minPeers"));
    }

    function test_aContractWalletIsAskedOnce() public {
        IConsortium.Agreement memory agreement = draft(3);
        address safe = address(new ContractWallet(vm.addr(WALLET + 2)));
        agreement.parties[2].wallet = safe;
        bytes32 trio = activate(agreement);
        IConsortium.Agreement memory amended = amendment(trio, agreement);
        signOne(amended, 2);
        vm.etch(safe, hex"fe");
        signOne(amended, 0);
        signOne(amended, 1);
        same(consortium.version(trio), 2);
    }

    // While it is being signed

    function test_isPendingFromTheFirstSignatureToTheLast() public {
        IConsortium.Agreement memory amended = grown(next());
        bytes32 hash = this.hashAgreement(amended);
        vm.expectEmit(address(consortium));
        emit IConsortium.AgreementSigned(id, hash, 1);
        consortium.sign(amended, 1, signatureOf(amended, WALLET + 1));
        inState(id, IConsortium.State.Amending);
        inState(hash, IConsortium.State.None);
        same(consortium.signers(hash), 2);
        same(consortium.version(id), 1);
        so(consortium.inForce(id));
        signOne(amended, 3);
        signOne(amended, 0);
        same(consortium.signers(hash), 11);
        inState(id, IConsortium.State.Amending);
        signOne(amended, 2);
        inState(id, IConsortium.State.Active);
        same(consortium.version(id), 2);
        same(consortium.signers(hash), 0);
    }

    function test_everythingGoesOnMeanwhile() public {
        bytes32 runId = createRun(id);
        signOne(next(), 0);
        inState(id, IConsortium.State.Amending);
        same(latest(id).active, 7);
        sealRound(runId, CEILING, "", 2);
        enroll(id, 0, "n2");
        createRun(request(id, "another"), WALLET);
        leave_(id, 2);
        inState(id, IConsortium.State.Amending);
    }

    function test_isNoLongerPendingWhenItWouldBeOver() public {
        IConsortium.Agreement memory brief = next();
        brief.notAfter = uint64(START + 1 days);
        signOne(brief, 0);
        IConsortium.Agreement memory longer = next();
        longer.notAfter = uint64(START + 2 days);
        signOne(longer, 1);
        signOne(brief, 1);
        vm.warp(START + 2 days);
        inState(id, IConsortium.State.Amending);
        vm.warp(START + 2 days + 1);
        inState(id, IConsortium.State.Active);
        refuseAmendment(
            brief,
            abi.encodeWithSelector(IConsortium.Consortium_NotInForce.selector, id, brief.notBefore, brief.notAfter)
        );
    }

    function test_aStrangerCannotMakeAnAgreementLookAmended() public {
        IConsortium.Agreement memory amended = grown(next());
        amended.parties[3].wallet = vm.addr(STRANGER);
        consortium.sign(amended, 3, signatureOf(amended, STRANGER));
        inState(id, IConsortium.State.Active);
    }

    function test_anAmendmentOfVotesCountsForTheNextMotion() public {
        IConsortium.Agreement memory amended = next();
        amended.bylaws.votes = 2;
        amend(amended);
        decide(motion(id, ICouncil.Action.Suspend), first(2));
        inState(id, IConsortium.State.Suspended);
    }

    function testFuzz_nothingIsBoundBeforeTheLastSignature(uint64 signers, uint8 parties) public {
        uint256 count = 2 + parties % 6;
        IConsortium.Agreement memory many = draft(count);
        many.document = keccak256("many");
        bytes32 any = activate(many);
        IConsortium.Agreement memory amended = grown(amendment(any, many));
        uint64 all = uint64((1 << (count + 1)) - 1);
        signers &= all;
        for (uint16 p = 0; p <= count; ++p) {
            if (signers >> p & 1 == 1) signOne(amended, p);
        }
        same(consortium.version(any), signers == all ? 2 : 1);
        same(consortium.partyCount(any), signers == all ? count + 1 : count);
        bool pending = signers != all && signers & (all >> 1) != 0;
        inState(any, pending ? IConsortium.State.Amending : IConsortium.State.Active);
    }
}
