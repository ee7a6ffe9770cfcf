// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Swarm} from "./Swarm.sol";

/// @dev What whole transactions cost, calldata and the 21,000 included. Each test makes one call on state that `setUp`
/// left behind, with cold storage, so that it costs what it costs on chain. `forge test --match-contract Gas -vv`.
abstract contract GasOf is Swarm {
    event log_named_uint(string what, uint256 gas); // forge prints it

    uint256 internal immutable organizations;
    bytes32 internal id;
    bytes32 internal fresh; // past round 0, nobody paid yet
    bytes32 internal steady; // past a paid round

    constructor(uint256 organizations_) {
        organizations = organizations_;
    }

    function setUp() public override {
        super.setUp();
        id = gathered(organizations);
        fresh = createRun(request(id, "fresh"), WALLET);
        steady = createRun(request(id, "steady"), WALLET);
        fund(fresh, FUNDS);
        fund(steady, FUNDS);
        sealRound(fresh, CEILING, "", majority());
        sealRound(steady, CEILING, "", majority());
        sealRound(steady, 0.5e9, equalRow(organizations), majority());
    }

    function majority() internal view returns (uint256) {
        return organizations / 2 + 1;
    }

    function measure(string memory what, address target, bytes memory data) internal returns (uint256 gas) {
        vm.cool(address(token));
        vm.cool(address(consortium));
        vm.cool(address(training));
        vm.cool(address(rewards));
        // The account that a transaction goes to is warm.
        so(target.balance == 0);
        gas = gasleft();
        (bool done,) = target.call(data);
        gas -= gasleft();
        so(done);
        gas += 21_000;
        for (uint256 i = 0; i < data.length; ++i) {
            gas += data[i] == 0 ? 4 : 16;
        }
        emit log_named_uint(string.concat(what, ", ", vm.toString(organizations), " organizations"), gas);
    }

    function sealGas(string memory what, bytes32 runId, uint64 loss, uint256 signers) internal returns (uint256) {
        ITraining.Attestation memory attested = attestation(runId, loss, equalRow(organizations));
        bytes memory all = signed(attested, first(signers));
        return measure(what, address(training), abi.encodeCall(ITraining.seal, (attested, first(signers), all)));
    }

    function limit() internal view virtual returns (uint256);

    function test_gas_sealPaid() public {
        so(sealGas("seal, all sign, paid before", steady, 0.3e9, organizations) <= limit());
    }

    function test_gas_sealFirstPaid() public {
        so(sealGas("seal, majority signs, first pay", fresh, 0.3e9, majority()) <= limit());
    }

    function test_gas_sealFirstPaidAllSign() public {
        sealGas("seal, all sign, first pay", fresh, 0.3e9, organizations);
    }

    function test_gas_sealLast() public {
        sealGas("seal, majority signs, the last", steady, TARGET, majority());
    }
}

contract Gas3Test is GasOf(3) {
    function limit() internal pure override returns (uint256) {
        return 180_000;
    }

    function test_gas_activate() public {
        IConsortium.Agreement memory agreement = draft(3);
        agreement.document = keccak256("another");
        bytes[] memory all = signatures(agreement);
        measure("activate", address(consortium), abi.encodeCall(IConsortium.activate, (agreement, all)));
    }

    function test_gas_enroll() public {
        IConsortium.Enrollment memory wanted = enrollment(id, 0, "another", 1);
        bytes32 digest = digestOf(address(consortium), this.hashEnrollment(wanted));
        bytes memory data = abi.encodeCall(IConsortium.enroll, (wanted, sign(WALLET, digest), sign(1, digest)));
        measure("enroll", address(consortium), data);
    }

    function test_gas_retire() public {
        IConsortium.Retirement memory wanted = IConsortium.Retirement(id, 1, uint64(START + 1));
        bytes memory signature = sign(WALLET + 1, digestOf(address(consortium), this.hashRetirement(wanted)));
        measure("retire", address(consortium), abi.encodeCall(IConsortium.retire, (wanted, signature)));
    }

    function test_gas_createRun() public {
        ITraining.RunRequest memory wanted = request(id, "another");
        bytes memory signature = sign(WALLET, digestOf(address(training), this.hashRunRequest(wanted)));
        measure("createRun", address(training), abi.encodeCall(ITraining.createRun, (wanted, terms(), signature)));
    }

    function test_gas_reopen() public {
        vm.warp(START + 600);
        measure("reopen", address(training), abi.encodeCall(ITraining.reopen, (fresh)));
    }

    function test_gas_claim() public {
        IRewards.Claim memory wanted = claimOf(steady, 0, address(0xBA27));
        bytes memory signature = sign(WALLET, digestOf(address(rewards), this.hashClaim(wanted)));
        measure("claim", address(rewards), abi.encodeCall(IRewards.claim, (wanted, signature)));
    }
}

contract Gas10Test is GasOf(10) {
    function limit() internal pure override returns (uint256) {
        return 300_000;
    }
}

contract Gas50Test is GasOf(50) {
    function limit() internal pure override returns (uint256) {
        return 900_000;
    }
}
