// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Consortium} from "../../contracts/Consortium.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {Bits} from "../../contracts/libraries/Bits.sol";
import {ContractWallet, Voting} from "./Voting.sol";

contract AgreementTest is Voting {
    using Bits for uint64;

    function refuse(IConsortium.Agreement memory agreement, bytes memory reason) internal {
        bytes[] memory all = signatures(agreement);
        expect(reason);
        consortium.activate(agreement, all);
    }

    function refuseTerms(IConsortium.Agreement memory agreement, string memory field) internal {
        refuse(agreement, abi.encodeWithSelector(IConsortium.Consortium_BadTerms.selector, field));
    }

    function test_isInForceOnceEveryPartySigned() public {
        IConsortium.Agreement memory agreement = draft(3);
        bytes32 id = this.hashAgreement(agreement);
        so(!consortium.inForce(id));

        bytes[] memory all = signatures(agreement);
        vm.expectEmit(address(consortium));
        emit IConsortium.AgreementActivated(id, agreement.document, consortium.hashTerms(agreement.terms), 3);
        same(consortium.activate(agreement, all), id);

        so(consortium.inForce(id));
        same(consortium.partyCount(id), 3);
        same(consortium.wallet(id, 2), vm.addr(WALLET + 2));
        same(consortium.trustDomain(id), "swarm.example");
        same(consortium.termsHash(id), consortium.hashTerms(agreement.terms));
        same(consortium.enrollmentNonce(id, 1), 0);
        (uint64 notBefore, uint64 notAfter) = consortium.period(id);
        same(notBefore, agreement.notBefore);
        same(notAfter, agreement.notAfter);
        IConsortium.Party[] memory parties = consortium.parties(id);
        same(parties.length, 3);
        same(parties[1].organization, "hospital-1");
        same(parties[1].wallet, vm.addr(WALLET + 1));
        same(parties[1].weight, 1);
        IConsortium.Snapshot memory snapshot = consortium.latestSnapshot(id);
        same(snapshot.version, 0);
        same(snapshot.active.count(), 0);
        same(snapshot.root, id);
    }

    function test_isInForceFromTheFirstToTheLastSecond() public {
        IConsortium.Agreement memory agreement = draft(2);
        agreement.notBefore = uint64(START + 10);
        bytes32 id = activate(agreement);
        so(!consortium.inForce(id));
        vm.warp(START + 10);
        so(consortium.inForce(id));
        vm.warp(agreement.notAfter);
        so(consortium.inForce(id));
        vm.warp(agreement.notAfter + 1);
        so(!consortium.inForce(id));
    }

    function test_acceptsAWalletThatIsAContract() public {
        IConsortium.Agreement memory agreement = draft(2);
        agreement.parties[1].wallet = address(new ContractWallet(vm.addr(WALLET + 1)));
        so(consortium.inForce(activate(agreement)));
    }

    function test_refusesAContractWalletWhoseOwnerDidNotSign() public {
        IConsortium.Agreement memory agreement = draft(2);
        agreement.parties[1].wallet = address(new ContractWallet(vm.addr(WALLET + 7)));
        refuse(
            agreement, abi.encodeWithSelector(IConsortium.Consortium_NotSigned.selector, 1, agreement.parties[1].wallet)
        );
    }

    function test_isActivatedOnce() public {
        IConsortium.Agreement memory agreement = draft(2);
        bytes32 id = activate(agreement);
        refuse(agreement, abi.encodeWithSelector(IConsortium.Consortium_AlreadyActive.selector, id));
    }

    function test_needsEverySignature() public {
        IConsortium.Agreement memory agreement = draft(3);
        bytes[] memory two = new bytes[](2);
        bytes[] memory all = signatures(agreement);
        (two[0], two[1]) = (all[0], all[1]);
        expect(abi.encodeWithSelector(IConsortium.Consortium_NotSigned.selector, 2, vm.addr(WALLET + 2)));
        consortium.activate(agreement, two);
    }

    function test_refusesMoreSignaturesThanParties() public {
        IConsortium.Agreement memory agreement = draft(2);
        bytes[] memory three = new bytes[](3);
        expect(abi.encodeWithSelector(IConsortium.Consortium_NotSigned.selector, 2, address(0)));
        consortium.activate(agreement, three);
    }

    function test_refusesASignatureInAnotherPartysPlace() public {
        IConsortium.Agreement memory agreement = draft(2);
        bytes[] memory all = signatures(agreement);
        (all[0], all[1]) = (all[1], all[0]);
        expect(abi.encodeWithSelector(IConsortium.Consortium_NotSigned.selector, 0, vm.addr(WALLET)));
        consortium.activate(agreement, all);
    }

    function test_refusesSignaturesForAnotherDeploymentOrChain() public {
        IConsortium.Agreement memory agreement = draft(2);
        bytes[] memory all = signatures(agreement);
        bytes memory reason = abi.encodeWithSelector(IConsortium.Consortium_NotSigned.selector, 0, vm.addr(WALLET));
        Consortium another = new Consortium();
        expect(reason);
        another.activate(agreement, all);
        vm.chainId(5);
        expect(reason);
        consortium.activate(agreement, all);
    }

    function testFuzz_refusesAnyOtherTextThanTheSigned(bytes32 document, string calldata purpose) public {
        IConsortium.Agreement memory agreement = draft(2);
        vm.assume(document != agreement.document);
        bytes[] memory all = signatures(agreement);
        (agreement.document, agreement.purpose) = (document, purpose);
        expect(abi.encodeWithSelector(IConsortium.Consortium_NotSigned.selector, 0, vm.addr(WALLET)));
        consortium.activate(agreement, all);
    }

    function test_has2To64Parties() public {
        refuse(draft(1), abi.encodeWithSelector(IConsortium.Consortium_BadParties.selector, 1));
        refuse(draft(65), abi.encodeWithSelector(IConsortium.Consortium_BadParties.selector, 65));
        so(consortium.inForce(activate(draft(64))));
    }

    function test_refusesOneOrganizationTwice() public {
        IConsortium.Agreement memory agreement = draft(3);
        agreement.parties[2].organization = agreement.parties[0].organization;
        refuse(agreement, abi.encodeWithSelector(IConsortium.Consortium_BadParties.selector, 2));
    }

    function test_refusesOneWalletTwice() public {
        IConsortium.Agreement memory agreement = draft(3);
        agreement.parties[1].wallet = agreement.parties[0].wallet;
        refuse(agreement, abi.encodeWithSelector(IConsortium.Consortium_BadParties.selector, 1));
    }

    function test_refusesPartiesWithoutWalletOrWeight() public {
        IConsortium.Agreement memory agreement = draft(2);
        agreement.parties[1].wallet = address(0);
        refuse(agreement, abi.encodeWithSelector(IConsortium.Consortium_BadParties.selector, 1));
        agreement = draft(2);
        agreement.parties[0].weight = 0;
        refuse(agreement, abi.encodeWithSelector(IConsortium.Consortium_BadParties.selector, 0));
    }

    function test_refusesNamesThatCouldDeceive() public {
        string[6] memory names = ["", "Hospital", "a/b", "a b", "a.b", unicode"hospitаl"];
        for (uint256 i = 0; i < names.length; ++i) {
            IConsortium.Agreement memory agreement = draft(2);
            agreement.parties[0].organization = names[i];
            refuse(agreement, abi.encodeWithSelector(IConsortium.Consortium_BadName.selector, names[i]));
        }
        string memory long = "a123456789-123456789-123456789-123456789-123456789-123456789-123";
        IConsortium.Agreement memory last = draft(2);
        last.parties[0].organization = long;
        refuse(last, abi.encodeWithSelector(IConsortium.Consortium_BadName.selector, long));
        last = draft(2);
        last.trustDomain = "swarm.example/";
        refuse(last, abi.encodeWithSelector(IConsortium.Consortium_BadName.selector, "swarm.example/"));
    }

    function test_refusesTermsThatContradictThemselves() public {
        IConsortium.Agreement memory agreement = draft(3);
        agreement.terms.initialRoot = 0;
        refuseTerms(agreement, "initialRoot");

        agreement.terms = terms();
        agreement.terms.schemaHash = 0;
        refuseTerms(agreement, "schemaHash");

        agreement.terms = terms();
        agreement.terms.metering = 4;
        refuseTerms(agreement, "metering");

        agreement.terms = terms();
        agreement.terms.validationRoot = 0;
        refuseTerms(agreement, "validationRoot");

        agreement.terms = terms();
        agreement.terms.sponsor = address(0);
        refuseTerms(agreement, "sponsor");

        agreement.terms = terms();
        agreement.terms.lossCeiling = agreement.terms.targetLoss;
        refuseTerms(agreement, "lossCeiling");

        agreement.terms = terms();
        agreement.terms.maxRounds = 0;
        refuseTerms(agreement, "maxRounds");

        agreement.terms = terms();
        agreement.terms.syncFrequency = 0;
        refuseTerms(agreement, "syncFrequency");

        agreement.terms = terms();
        agreement.terms.leaderTimeout = agreement.terms.quorumGrace;
        refuseTerms(agreement, "leaderTimeout");

        agreement.terms = terms();
        agreement.terms.stallTime = agreement.terms.leaderTimeout / 1000;
        refuseTerms(agreement, "stallTime");

        agreement.terms = terms();
        agreement.terms.minPeers = 4;
        refuseTerms(agreement, "minPeers");

        agreement.terms = terms();
        agreement.terms.topology = 2;
        refuseTerms(agreement, "topology");

        agreement.terms = terms();
        agreement.terms.stopping = 3;
        refuseTerms(agreement, "stopping");

        agreement.terms = terms();
        agreement.terms.budgetRule = 2;
        refuseTerms(agreement, "budgetRule");

        agreement.terms = terms();
        agreement.terms.payout = 2;
        refuseTerms(agreement, "payout");

        agreement.terms = terms();
        agreement.terms.strikes = 7;
        refuseTerms(agreement, "strikes");

        agreement.terms = terms();
        agreement.terms.strikes = 1;
        refuseTerms(agreement, "strikeRounds");
    }

    function test_refusesBylawsThatContradictThemselves() public {
        IConsortium.Agreement memory agreement = draft(4);
        agreement.bylaws.votes = 2;
        refuseTerms(agreement, "votes");
        agreement.bylaws.votes = 5;
        refuseTerms(agreement, "votes");

        agreement.bylaws = bylaws();
        (agreement.bylaws.minStake, agreement.bylaws.penaltyRecipient) = (1, address(0));
        refuseTerms(agreement, "penaltyRecipient");

        agreement.bylaws = bylaws();
        agreement.bylaws.penaltyBips = 10_001;
        refuseTerms(agreement, "penaltyBips");

        agreement.bylaws = bylaws();
        agreement.bylaws.finderBips = 5001;
        refuseTerms(agreement, "finderBips");

        agreement.bylaws = bylaws();
        agreement.bylaws.maxNodes = 0;
        refuseTerms(agreement, "maxNodes");
        agreement.bylaws.maxNodes = 33;
        refuseTerms(agreement, "maxNodes");
    }

    function test_refusesAPeriodThatIsNone() public {
        IConsortium.Agreement memory agreement = draft(2);
        agreement.notBefore = agreement.notAfter;
        refuseTerms(agreement, "notAfter");
        agreement.notAfter = uint64(1) << 40;
        refuseTerms(agreement, "notAfter");
        agreement.notBefore = 0;
        refuseTerms(agreement, "notAfter");
        agreement.notAfter -= 1;
        so(consortium.inForce(activate(agreement)));
    }

    function test_aNewAgreementIsTheFirstVersion() public {
        IConsortium.Agreement memory agreement = draft(2);
        agreement.version = 2;
        refuse(agreement, abi.encodeWithSelector(IConsortium.Consortium_WrongVersion.selector, 1, 2));
        agreement.version = 0;
        refuse(agreement, abi.encodeWithSelector(IConsortium.Consortium_WrongVersion.selector, 1, 0));
    }

    function test_stakeUnlocksAfterTheLongestRoundAndTheDisputeTime() public {
        IConsortium.Agreement memory agreement = draft(2);
        agreement.terms.stallTime = 12_345;
        agreement.bylaws.disputeTime = type(uint32).max;
        same(consortium.unlockDelay(activate(agreement)), 12_345 + uint256(type(uint32).max));
    }

    function test_equalSplitNeedsNoValidationSet() public {
        IConsortium.Agreement memory agreement = draft(2);
        (agreement.terms.metering, agreement.terms.validationRoot) = (0, 0);
        so(consortium.inForce(activate(agreement)));
    }

    function test_refusesAnAgreementThatIsOver() public {
        IConsortium.Agreement memory agreement = draft(2);
        agreement.notAfter = uint64(START);
        refuse(
            agreement,
            abi.encodeWithSelector(
                IConsortium.Consortium_NotInForce.selector,
                this.hashAgreement(agreement),
                agreement.notBefore,
                agreement.notAfter
            )
        );
    }

    function test_unknownAgreementsAndPartiesAreNamed() public {
        bytes32 nothing = keccak256("nothing");
        bytes memory reason = abi.encodeWithSelector(IConsortium.Consortium_UnknownAgreement.selector, nothing);
        expect(reason);
        consortium.period(nothing);
        expect(reason);
        consortium.latestSnapshot(nothing);
        expect(reason);
        consortium.members(nothing, 0, first(1));
        bytes32 id = gathered(2);
        expect(abi.encodeWithSelector(IConsortium.Consortium_UnknownParty.selector, id, 2));
        consortium.wallet(id, 2);
        expect(abi.encodeWithSelector(IConsortium.Consortium_UnknownSnapshot.selector, id, 3));
        consortium.snapshotAt(id, 3);
        expect(abi.encodeWithSelector(IConsortium.Consortium_UnknownSnapshot.selector, id, 3));
        consortium.members(id, 3, first(1));
    }
}
