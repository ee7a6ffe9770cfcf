// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {Amended} from "./Amendments.t.sol";

/// @dev What no amendment can do, whoever signs it.
contract AmendmentAttacksTest is Amended {
    function test_partiesCannotBeDroppedSwappedRenamedOrReplaced() public {
        IConsortium.Agreement memory dropped = next();
        IConsortium.Party[] memory two = new IConsortium.Party[](2);
        (two[0], two[1]) = (dropped.parties[0], dropped.parties[1]);
        dropped.parties = two;
        refuseAmendment(dropped, badParty(2));

        IConsortium.Agreement memory first_ = next();
        (two[0], two[1]) = (first_.parties[1], first_.parties[2]);
        first_.parties = two;
        refuseAmendment(first_, badParty(0));

        IConsortium.Agreement memory swapped = next();
        (swapped.parties[1], swapped.parties[2]) = (swapped.parties[2], swapped.parties[1]);
        refuseAmendment(swapped, badParty(1));

        IConsortium.Agreement memory renamed = next();
        renamed.parties[2].organization = "hospital-9";
        refuseAmendment(renamed, badParty(2));

        IConsortium.Agreement memory replaced = next();
        replaced.parties[2].wallet = vm.addr(STRANGER);
        refuseAmendment(replaced, badParty(2));
    }

    function test_whoIsOutIsListedAsItWas() public {
        leave_(id, 2);
        IConsortium.Agreement memory amended = next();
        amended.parties[2].wallet = vm.addr(STRANGER);
        refuseAmendment(amended, badParty(2));
        amended = next();
        IConsortium.Party[] memory two = new IConsortium.Party[](2);
        (two[0], two[1]) = (amended.parties[0], amended.parties[1]);
        amended.parties = two;
        refuseAmendment(amended, badParty(2));
    }

    function test_whoIsOutCannotComeBackUnderItsName() public {
        leave_(id, 2);
        IConsortium.Agreement memory amended = grown(next());
        amended.parties[3].organization = organization(2);
        refuseAmendment(amended, badParty(3));
        amended = grown(next());
        amended.parties[3].wallet = vm.addr(WALLET + 2);
        refuseAmendment(
            amended, abi.encodeWithSelector(IConsortium.Consortium_WalletTaken.selector, vm.addr(WALLET + 2))
        );
    }

    function test_aSignatureOfAnOldWalletIsWorthNothing() public {
        IConsortium.Agreement memory amended = next();
        signOne(amended, 0);
        signOne(amended, 1);
        moveTo(id, 1, SPARE + 1);
        refuseAmendment(amended, badParty(1));
        amended.parties[1].wallet = vm.addr(SPARE + 1);
        bytes[] memory all = allSign(amended);
        all[1] = signatureOf(amended, WALLET + 1);
        expect(notSigned(1));
        consortium.activate(amended, all);
        amend(amended);
        same(consortium.version(id), 2);
    }

    function test_aWalletReplacedByVoteSignsFromItsTimeOn() public {
        replaceWallet(id, 1, vm.addr(SPARE + 1));
        IConsortium.Agreement memory amended = next();
        signOne(amended, 0);
        vm.warp(START + 7 days);
        refuseAmendment(amended, badParty(1));
        amended.parties[1].wallet = vm.addr(SPARE + 1);
        useKey(1, SPARE + 1);
        amend(amended);
    }

    function test_aNewPartyCannotTakeAWalletThatIsToBecomeAnothers() public {
        replaceWallet(id, 1, vm.addr(SPARE + 1));
        IConsortium.Agreement memory amended = grown(next());
        amended.parties[3].wallet = vm.addr(SPARE + 1);
        refuseAmendment(
            amended, abi.encodeWithSelector(IConsortium.Consortium_WalletTaken.selector, vm.addr(SPARE + 1))
        );
    }

    function test_ofTwoAmendmentsTheFirstCompleteOneWins() public {
        IConsortium.Agreement memory one = next();
        IConsortium.Agreement memory other = next();
        (one.purpose, other.purpose) = ("one", "other");
        signOne(one, 0);
        signOne(one, 1);
        signOne(other, 0);
        signOne(other, 1);
        signOne(other, 2);
        same(consortium.agreementHash(id), this.hashAgreement(other));
        inState(id, IConsortium.State.Active);
        refuseAmendment(one, abi.encodeWithSelector(IConsortium.Consortium_WrongVersion.selector, 3, 2));
        refuseAmendment(other, abi.encodeWithSelector(IConsortium.Consortium_WrongVersion.selector, 3, 2));
    }

    function test_versionsAreCountedOneByOne() public {
        uint32[4] memory versions = [uint32(0), 1, 3, type(uint32).max];
        for (uint256 i = 0; i < versions.length; ++i) {
            IConsortium.Agreement memory amended = next();
            amended.version = versions[i];
            refuseAmendment(
                amended, abi.encodeWithSelector(IConsortium.Consortium_WrongVersion.selector, 2, versions[i])
            );
        }
    }

    function test_theIdOfAnAmendmentIsNoAgreement() public {
        IConsortium.Agreement memory second = next();
        amend(second);
        IConsortium.Agreement memory third = amendment(id, second);
        third.previous = this.hashAgreement(second);
        refuseAmendment(third, abi.encodeWithSelector(IConsortium.Consortium_UnknownAgreement.selector, third.previous));
    }

    function test_theTrustDomainStays() public {
        IConsortium.Agreement memory amended = next();
        amended.trustDomain = "another.example";
        refuseAmendment(amended, abi.encodeWithSelector(IConsortium.Consortium_BadTerms.selector, "trustDomain"));
    }

    function test_cannotTakeTheAgreementOutOfForce() public {
        IConsortium.Agreement memory amended = next();
        amended.notBefore = uint64(START + 1);
        refuseAmendment(
            amended,
            abi.encodeWithSelector(IConsortium.Consortium_NotInForce.selector, id, amended.notBefore, amended.notAfter)
        );
        amended = next();
        amended.notAfter = uint64(START);
        refuseAmendment(
            amended,
            abi.encodeWithSelector(IConsortium.Consortium_NotInForce.selector, id, amended.notBefore, amended.notAfter)
        );
    }

    function test_isAsCoherentAsANewAgreement() public {
        IConsortium.Agreement memory amended = next();
        amended.terms.maxRounds = 0;
        refuseAmendment(amended, abi.encodeWithSelector(IConsortium.Consortium_BadTerms.selector, "maxRounds"));
        amended = grown(next());
        amended.parties[3].weight = 0;
        refuseAmendment(amended, badParty(3));
        amended = next();
        amended.bylaws.maxNodes = 0;
        refuseAmendment(amended, abi.encodeWithSelector(IConsortium.Consortium_BadTerms.selector, "maxNodes"));
    }

    function test_signaturesAreForOneDeploymentAndChain() public {
        IConsortium.Agreement memory amended = next();
        bytes[] memory all = allSign(amended);
        redeploy();
        activate(draft(3));
        expect(notSigned(0));
        consortium.activate(amended, all);
        expect(notSigned(0));
        consortium.sign(amended, 0, all[0]);
        all = allSign(amended);
        vm.chainId(5);
        expect(notSigned(0));
        consortium.activate(amended, all);
    }
}
