// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {Bits} from "../../contracts/libraries/Bits.sol";
import {Swarm} from "./Swarm.sol";

contract MembershipTest is Swarm {
    using Bits for uint64;

    bytes32 internal id;

    function setUp() public override {
        super.setUp();
        id = activate(draft(3));
    }

    function refuse(IConsortium.Enrollment memory wanted, uint256 walletKey, uint256 key, bytes memory reason)
        internal
    {
        bytes32 digest = digestOf(address(consortium), this.hashEnrollment(wanted));
        bytes memory walletSignature = sign(walletKey, digest);
        bytes memory keySignature = sign(key, digest);
        expect(reason);
        consortium.enroll(wanted, walletSignature, keySignature);
    }

    function refuseRetirement(IConsortium.Retirement memory wanted, uint256 walletKey, bytes memory reason) internal {
        bytes memory signature = sign(walletKey, digestOf(address(consortium), this.hashRetirement(wanted)));
        expect(reason);
        consortium.retire(wanted, signature);
    }

    function test_aNodeEntersTheNextSnapshot() public {
        IConsortium.Enrollment memory wanted = enrollment(id, 1, "node-1", NODE);
        string memory spiffeId = "spiffe://swarm.example/org/hospital-1/node/node-1";
        bytes32 digest = digestOf(address(consortium), this.hashEnrollment(wanted));
        vm.expectEmit(address(consortium));
        emit IConsortium.NodeEnrolled(id, 1, 0, vm.addr(NODE), spiffeId, wanted.url, 1);
        same(consortium.enroll(wanted, sign(WALLET + 1, digest), sign(NODE, digest)), 0);

        IConsortium.Registration[] memory all = consortium.registrations(id);
        same(all.length, 1);
        same(all[0].key, vm.addr(NODE));
        same(all[0].party, 1);
        so(all[0].mayLead);
        same(all[0].since, 1);
        same(all[0].until, 0);
        same(all[0].spiffeId, spiffeId);
        same(all[0].url, wanted.url);
        same(consortium.enrollmentNonce(id, 1), 1);

        IConsortium.Snapshot memory snapshot = consortium.latestSnapshot(id);
        same(snapshot.version, 1);
        same(snapshot.active.count(), 1);
        same(snapshot.root, link(id, 1, 0, 1, NODE, spiffeId, wanted.url));
        same(consortium.snapshotAt(id, 0).root, id);
        same(consortium.snapshotAt(id, 0).active.count(), 0);
    }

    function test_everyChangeIsOneLinkOfTheChain() public {
        enroll(id, 0, "a");
        uint16 b = enroll(id, 1, "b");
        retire(id, b, WALLET + 1);
        string memory url = "https://n.example:9443";
        bytes32 root = link(id, 1, 0, 0, nodeKey[id][0], "spiffe://swarm.example/org/hospital-0/node/a", url);
        same(consortium.snapshotAt(id, 1).root, root);
        root = link(root, 1, 1, 1, nodeKey[id][1], "spiffe://swarm.example/org/hospital-1/node/b", url);
        same(consortium.snapshotAt(id, 2).root, root);
        root = link(root, 2, 1, 1, nodeKey[id][1], "spiffe://swarm.example/org/hospital-1/node/b", url);
        same(consortium.snapshotAt(id, 3).root, root);
    }

    function test_aNodeOfTheSameNameIsReplacedInOneChange() public {
        enroll(id, 0, "n1");
        uint16 second = enroll(id, 0, "n1");
        same(second, 1);
        IConsortium.Registration[] memory all = consortium.registrations(id);
        same(all[0].until, 2);
        same(all[1].since, 2);
        IConsortium.Snapshot memory snapshot = consortium.latestSnapshot(id);
        same(snapshot.version, 2);
        same(snapshot.active.count(), 1);
    }

    function test_theSameNodeNameBelongsToEachOrganizationByItself() public {
        enroll(id, 0, "n1");
        enroll(id, 1, "n1");
        same(consortium.latestSnapshot(id).active.count(), 2);
        same(consortium.registrations(id)[0].until, 0);
    }

    function test_oneRegistrationIsShownByItself() public {
        enroll(id, 0, "a");
        retire(id, enroll(id, 1, "b"), WALLET + 1);
        (address key, uint16 party, uint32 since, uint32 until) = consortium.member(id, 0);
        so(key == vm.addr(nodeKey[id][0]) && party == 0 && since == 1 && until == 0);
        (key, party, since, until) = consortium.member(id, 1);
        so(key == vm.addr(nodeKey[id][1]) && party == 1 && since == 2 && until == 3);
        (key, party, since, until) = consortium.member(id, 2);
        so(key == address(0) && party == 0 && since == 0 && until == 0);
    }

    function test_anOrganizationJoinsWithItsFirstNode() public {
        same(consortium.joinedAt(id, 0), 0);
        vm.warp(START + 5);
        uint16 n = enroll(id, 0, "a");
        same(consortium.joinedAt(id, 0), START + 5);
        vm.warp(START + 9);
        retire(id, n, WALLET);
        enroll(id, 0, "b");
        same(consortium.joinedAt(id, 0), START + 5);
        same(consortium.joinedAt(id, 1), 0);
    }

    function test_aLaterSnapshotShowsNobodyOnceTheAgreementIsOver() public {
        enroll(id, 0, "a");
        same(consortium.latestSnapshot(id).active, 1);
        (, uint64 notAfter) = consortium.period(id);
        vm.warp(notAfter);
        same(consortium.latestSnapshot(id).active, 1);
        vm.warp(notAfter + 1);
        same(consortium.latestSnapshot(id).active, 0);
        same(consortium.snapshotAt(id, 1).active, 1);
    }

    function test_aPartyHasAsManyNodesAsTheBylawsSay() public {
        IConsortium.Agreement memory agreement = draft(2);
        agreement.bylaws.maxNodes = 2;
        bytes32 small = activate(agreement);
        enroll(small, 0, "a");
        enroll(small, 0, "b");
        refuse(
            enrollment(small, 0, "c", 1),
            WALLET,
            1,
            abi.encodeWithSelector(IConsortium.Consortium_TooManyNodes.selector, 0, 2)
        );
        enroll(small, 0, "b");
    }

    function test_severalNodesMakeOneActiveParty() public {
        uint16 a = enroll(id, 0, "a");
        uint16 b = enroll(id, 0, "b");
        same(consortium.latestSnapshot(id).active.count(), 1);
        retire(id, a, WALLET);
        same(consortium.latestSnapshot(id).active.count(), 1);
        retire(id, b, WALLET);
        same(consortium.latestSnapshot(id).active.count(), 0);
    }

    function test_theNumberOfActivePartiesIsKeptForEverySnapshot() public {
        uint16 lasting = enroll(id, 0, "n");
        for (uint256 i = 0; i < 20; ++i) {
            retire(id, enroll(id, 1, "n"), WALLET + 1);
        }
        for (uint32 v = 1; v <= 41; ++v) {
            same(consortium.snapshotAt(id, v).active.count(), v % 2 == 1 ? 1 : 2);
        }
        same(lasting, 0);
    }

    function test_aRetiredNodeIsAMemberOfItsOwnSnapshotsOnly() public {
        enroll(id, 0, "a");
        uint16 b = enroll(id, 1, "b");
        retire(id, b, WALLET + 1);
        (address[] memory keys, uint16[] memory parties) = consortium.members(id, 2, list(0, b));
        same(keys[1], vm.addr(nodeKey[id][b]));
        same(parties[1], 1);
        expect(abi.encodeWithSelector(IConsortium.Consortium_NotAMember.selector, b, 1));
        consortium.members(id, 1, list(0, b));
        expect(abi.encodeWithSelector(IConsortium.Consortium_NotAMember.selector, b, 3));
        consortium.members(id, 3, list(0, b));
        expect(abi.encodeWithSelector(IConsortium.Consortium_NotAMember.selector, 9, 3));
        consortium.members(id, 3, list(0, 9));
    }

    function test_aRetiredNameMayComeBackWithANewKey() public {
        retire(id, enroll(id, 0, "n1"), WALLET);
        uint16 again = enroll(id, 0, "n1");
        consortium.members(id, 3, list(again, again));
        same(consortium.latestSnapshot(id).active.count(), 1);
    }

    function test_refusesAnEnrollmentThatThePartyDidNotSign() public {
        refuse(
            enrollment(id, 0, "n1", NODE),
            WALLET + 1,
            NODE,
            abi.encodeWithSelector(IConsortium.Consortium_NotTheParty.selector, 0, vm.addr(WALLET + 1))
        );
    }

    function test_refusesAnEnrollmentThatTheKeyDidNotSign() public {
        refuse(
            enrollment(id, 0, "n1", NODE),
            WALLET,
            NODE + 1,
            abi.encodeWithSelector(IConsortium.Consortium_NotTheKey.selector, vm.addr(NODE), vm.addr(NODE + 1))
        );
    }

    function test_refusesNoKeyAtAll() public {
        IConsortium.Enrollment memory wanted = enrollment(id, 0, "n1", NODE);
        wanted.key = address(0);
        bytes memory signature = sign(WALLET, digestOf(address(consortium), this.hashEnrollment(wanted)));
        expect(abi.encodeWithSelector(IConsortium.Consortium_NotTheKey.selector, address(0), address(0)));
        consortium.enroll(wanted, signature, "not a signature");
    }

    function test_aKeyServesOnce() public {
        uint16 n = enroll(id, 0, "n1");
        bytes memory reason =
            abi.encodeWithSelector(IConsortium.Consortium_KeyAlreadyUsed.selector, vm.addr(nodeKey[id][n]));
        refuse(enrollment(id, 1, "n1", nodeKey[id][n]), WALLET + 1, nodeKey[id][n], reason);
        retire(id, n, WALLET);
        refuse(enrollment(id, 0, "n2", nodeKey[id][n]), WALLET, nodeKey[id][n], reason);
    }

    function test_anEnrollmentIsPostedOnce() public {
        IConsortium.Enrollment memory wanted = enrollment(id, 0, "n1", NODE);
        enroll(wanted, WALLET, NODE);
        refuse(wanted, WALLET, NODE, abi.encodeWithSelector(IConsortium.Consortium_WrongNonce.selector, 1, 0));
    }

    function test_refusesAnEnrollmentOutOfTime() public {
        IConsortium.Enrollment memory wanted = enrollment(id, 0, "n1", NODE);
        vm.warp(wanted.deadline + 1);
        refuse(
            wanted,
            WALLET,
            NODE,
            abi.encodeWithSelector(IConsortium.Consortium_DeadlinePassed.selector, wanted.deadline)
        );
        (, uint64 notAfter) = consortium.period(id);
        vm.warp(notAfter + 1);
        refuse(
            enrollment(id, 0, "n1", NODE),
            WALLET,
            NODE,
            abi.encodeWithSelector(IConsortium.Consortium_WrongState.selector, id, IConsortium.State.Expired)
        );
    }

    function test_refusesAPartyThatIsNotThere() public {
        IConsortium.Enrollment memory wanted = enrollment(id, 0, "n1", NODE);
        wanted.party = 3;
        refuse(wanted, WALLET, NODE, abi.encodeWithSelector(IConsortium.Consortium_UnknownParty.selector, id, 3));
    }

    function test_refusesNamesAndAddressesThatCouldDeceive() public {
        IConsortium.Enrollment memory wanted = enrollment(id, 0, "n1/../../org/hospital-1", NODE);
        refuse(wanted, WALLET, NODE, abi.encodeWithSelector(IConsortium.Consortium_BadName.selector, wanted.node));
        wanted = enrollment(id, 0, "n1", NODE);
        wanted.url = "https://a\n.example";
        refuse(wanted, WALLET, NODE, abi.encodeWithSelector(IConsortium.Consortium_BadUrl.selector, wanted.url));
        wanted.url = string(new bytes(256));
        refuse(wanted, WALLET, NODE, abi.encodeWithSelector(IConsortium.Consortium_BadUrl.selector, wanted.url));
    }

    function test_aNodeThatTakesNoConnectionsHasNoAddress() public {
        IConsortium.Enrollment memory wanted = enrollment(id, 0, "n1", NODE);
        wanted.url = "";
        same(enroll(wanted, WALLET, NODE), 0);
    }

    function test_aPartyHas32NodesAtOnce() public {
        for (uint256 i = 0; i < 32; ++i) {
            enroll(id, 0, vm.toString(i));
        }
        refuse(
            enrollment(id, 0, "one-more", 1),
            WALLET,
            1,
            abi.encodeWithSelector(IConsortium.Consortium_TooManyNodes.selector, 0, 32)
        );
        enroll(id, 0, "31");
        enroll(id, 1, "n1");
    }

    function test_aPartyCannotUseUpTheNumbersOfTheOthers() public {
        for (uint256 i = 0; i < 512; ++i) {
            enroll(id, 0, "n1");
        }
        refuse(
            enrollment(id, 0, "n1", 1),
            WALLET,
            1,
            abi.encodeWithSelector(IConsortium.Consortium_TooManyNodes.selector, 0, 512)
        );
        same(enroll(id, 1, "n1"), 512);
    }

    function test_onlyThePartyItselfRetiresItsNode() public {
        uint16 n = enroll(id, 0, "n1");
        IConsortium.Retirement memory wanted = IConsortium.Retirement(id, n, uint64(START + 1));
        refuseRetirement(
            wanted,
            WALLET + 1,
            abi.encodeWithSelector(IConsortium.Consortium_NotTheParty.selector, 0, vm.addr(WALLET + 1))
        );
        vm.warp(START + 2);
        refuseRetirement(
            wanted, WALLET, abi.encodeWithSelector(IConsortium.Consortium_DeadlinePassed.selector, START + 1)
        );
    }

    function test_aNodeRetiresOnce() public {
        uint16 n = enroll(id, 0, "n1");
        retire(id, n, WALLET);
        refuseRetirement(
            IConsortium.Retirement(id, n, uint64(START + 1)),
            WALLET,
            abi.encodeWithSelector(IConsortium.Consortium_NotAMember.selector, n, 2)
        );
        refuseRetirement(
            IConsortium.Retirement(id, 7, uint64(START + 1)),
            WALLET,
            abi.encodeWithSelector(IConsortium.Consortium_NotAMember.selector, 7, 2)
        );
    }

    function link(
        bytes32 root,
        uint8 kind,
        uint16 registration,
        uint16 party,
        uint256 key,
        string memory spiffeId,
        string memory url
    ) internal pure returns (bytes32) {
        bytes32 spiffeIdHash = keccak256(bytes(spiffeId));
        return
            keccak256(
                abi.encode(root, kind, registration, party, vm.addr(key), spiffeIdHash, keccak256(bytes(url)), true)
            );
    }
}
