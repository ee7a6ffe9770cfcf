// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Registry} from "../../contracts/Registry.sol";
import {Roles} from "../../contracts/Roles.sol";
import {IRegistry} from "../../contracts/interfaces/IRegistry.sol";
import {Swarm} from "./Swarm.sol";

contract RegistryTest is Swarm {
    bytes32 internal constant DOCUMENT = keccak256("what changed, who looked at it");

    Registry internal registry;

    function setUp() public override {
        super.setUp();
        registry = new Registry(address(new Roles(address(this))));
    }

    function entries() internal view returns (IRegistry.Entry[] memory all) {
        all = new IRegistry.Entry[](2);
        all[0] = IRegistry.Entry("Consortium", address(consortium));
        all[1] = IRegistry.Entry("Training", address(training));
    }

    function refuse(string memory name, IRegistry.Entry[] memory all, bytes memory reason) internal {
        expect(reason);
        registry.publish(name, DOCUMENT, all);
    }

    function test_thePublisherPublishesAVersion() public {
        vm.expectEmit(address(registry));
        emit IRegistry.VersionPublished(0, "1.0.0", DOCUMENT);
        same(registry.publish("1.0.0", DOCUMENT, entries()), 0);
        same(registry.count(), 1);
        IRegistry.Version memory version = registry.version(0);
        same(version.name, "1.0.0");
        same(version.document, DOCUMENT);
        same(version.publishedAt, START);
        same(version.retired, "");
        same(keccak256(abi.encode(version.contracts)), keccak256(abi.encode(entries())));
    }

    function test_theLatestIsTheLastThatIsNotRetired() public {
        bytes memory none = abi.encodeWithSelector(IRegistry.Registry_NoVersion.selector);
        expect(none);
        registry.latest();
        registry.publish("1.0.0", DOCUMENT, entries());
        registry.publish("1.1.0", DOCUMENT, entries());
        registry.publish("2.0.0", DOCUMENT, entries());
        latestIs(2, "2.0.0");
        registry.retire(1, "superseded");
        latestIs(2, "2.0.0");
        vm.expectEmit(address(registry));
        emit IRegistry.VersionRetired(2, "rounds down twice");
        registry.retire(2, "rounds down twice");
        latestIs(0, "1.0.0");
        registry.retire(0, "old");
        expect(none);
        registry.latest();
    }

    function latestIs(uint256 expected, string memory name) internal view {
        (uint256 index, IRegistry.Version memory version) = registry.latest();
        same(index, expected);
        same(version.name, name);
    }

    function test_retiringOnlyMarks() public {
        registry.publish("1.0.0", DOCUMENT, entries());
        registry.retire(0, "old");
        IRegistry.Version memory version = registry.version(0);
        same(version.retired, "old");
        same(keccak256(abi.encode(version.contracts)), keccak256(abi.encode(entries())));
        same(registry.count(), 1);

        // The contracts of that version go on as if nothing had been said.
        bytes32 runId = createRun(gathered(3));
        fund(runId, FUNDS);
        sealRound(runId, CEILING, "", 2);
        sealRound(runId, TARGET, equalRow(3), 2);
        so(claim(claimOf(runId, 0, address(0xBA27)), WALLET) != 0);
    }

    function test_aVersionIsRetiredOnceAndForAReason() public {
        registry.publish("1.0.0", DOCUMENT, entries());
        expect(abi.encodeWithSelector(IRegistry.Registry_BadReason.selector, 0));
        registry.retire(0, "");
        expect(abi.encodeWithSelector(IRegistry.Registry_BadReason.selector, 256));
        registry.retire(0, string(new bytes(256)));
        registry.retire(0, string(new bytes(255)));
        expect(abi.encodeWithSelector(IRegistry.Registry_AlreadyRetired.selector, 0));
        registry.retire(0, "again");
    }

    function test_nothingIsKnownOfVersionsThatAreNotThere() public {
        bytes memory unknown = abi.encodeWithSelector(IRegistry.Registry_UnknownVersion.selector, 0);
        expect(unknown);
        registry.version(0);
        expect(unknown);
        registry.retire(0, "old");
    }

    function test_aNameStandsForOneVersionForGood() public {
        registry.publish("1.0.0", DOCUMENT, entries());
        registry.publish("1.0.1", DOCUMENT, entries());
        registry.retire(1, "old");
        refuse("1.0.1", entries(), abi.encodeWithSelector(IRegistry.Registry_NameTaken.selector, "1.0.1", 1));
        refuse("", entries(), abi.encodeWithSelector(IRegistry.Registry_BadName.selector, ""));
        refuse("1 0", entries(), abi.encodeWithSelector(IRegistry.Registry_BadName.selector, "1 0"));
    }

    function test_everyEntryIsAContractWithANameOfItsOwn() public {
        bytes memory bad = abi.encodeWithSelector(IRegistry.Registry_BadEntry.selector, 1);
        IRegistry.Entry[] memory all = entries();
        all[1].location = SPONSOR; // no code
        refuse("1.0.0", all, bad);
        all = entries();
        all[1].name = "Consortium";
        refuse("1.0.0", all, bad);
        all[1].name = "";
        refuse("1.0.0", all, bad);
        refuse("1.0.0", new IRegistry.Entry[](0), abi.encodeWithSelector(IRegistry.Registry_BadEntry.selector, 0));
        refuse("1.0.0", new IRegistry.Entry[](33), abi.encodeWithSelector(IRegistry.Registry_BadEntry.selector, 33));
    }

    function test_nobodyElsePublishesOrRetires() public {
        registry.publish("1.0.0", DOCUMENT, entries());
        bytes memory stranger = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, SPONSOR);
        expect(stranger);
        vm.prank(SPONSOR);
        registry.publish("1.0.1", DOCUMENT, entries());
        expect(stranger);
        vm.prank(SPONSOR);
        registry.retire(0, "old");
    }

    function test_needsAManager() public {
        expect(abi.encodeWithSelector(IAccessManaged.AccessManagedInvalidAuthority.selector, SPONSOR));
        new Registry(SPONSOR);
    }
}
