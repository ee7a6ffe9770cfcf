// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaims} from "../../contracts/interfaces/IClaims.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {LocalSwarm} from "./LocalSwarm.sol";

/// @dev What whole transactions cost, calldata and the 21,000 included. Each test makes one call on state that `setUp`
/// left behind, with cold storage, so that it costs what it costs on chain. `forge test --match-contract Gas -vv`.
abstract contract GasOf is LocalSwarm {
    event log_named_uint(string what, uint256 gas); // forge prints it

    uint256 internal immutable organizations;
    bytes32 internal id;
    bytes32 internal fresh; // past round 0, nobody paid yet
    bytes32 internal steady; // past a paid round
    bytes32 internal local; // past a round that is paid, and one that waits for rows

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

        IConsortium.Agreement memory agreement = localDraft(organizations);
        agreement.document = keccak256("local");
        local = createRun(gathered(agreement, organizations));
        fund(local, FUNDS);
        start(local, 0.6e9, organizations);
        sealBy(local, first(majority()), opinions(majority(), 0));
        sealBy(local, first(majority()), opinions(majority(), 0));
    }

    /// @dev What the organizations from `from` on say of all others; each round is better than the last.
    function opinions(uint256 count, uint256 from) internal view returns (ITraining.Row[] memory rows) {
        rows = new ITraining.Row[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint16[] memory bips = new uint16[](organizations);
            for (uint256 p = 0; p < organizations; ++p) {
                bips[p] = uint16(10_000 / organizations - p % 3);
            }
            bips[(from + i) % organizations] = 0;
            rows[i] = row(0.6e9, uint64(0.55e9 + 1000 * i), rowOf(bips));
        }
    }

    function majority() internal view returns (uint256) {
        return organizations / 2 + 1;
    }

    function measure(string memory what, address target, bytes memory data) internal returns (uint256 gas) {
        vm.cool(address(token));
        vm.cool(address(consortium));
        vm.cool(address(training));
        vm.cool(address(rewards));
        vm.cool(address(training.clerk()));
        vm.cool(address(neighbors));
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

    function sealLocalGas(string memory what, uint256 signers, uint256 missing) internal returns (uint256) {
        ITraining.Attestation memory attested = common(local);
        ITraining.Votes memory all = votes(attested, first(signers), opinions(signers, 0));
        ITraining.Votes memory rest;
        if (missing != 0) {
            uint16[] memory who = new uint16[](missing);
            for (uint256 i = 0; i < missing; ++i) {
                who[i] = uint16(organizations - missing + i);
            }
            rest = late(local, who, opinions(missing, organizations - missing));
        }
        bytes memory data = abi.encodeCall(ITraining.sealLocal, (attested, all, lastSealed(local), rest));
        return measure(what, address(training), data);
    }

    function limit() internal view virtual returns (uint256);

    function localLimit() internal view virtual returns (uint256);

    function test_gas_sealLocal() public {
        so(sealLocalGas("sealLocal, majority signs", majority(), 0) <= localLimit());
    }

    function test_gas_sealLocalAllSign() public {
        uint256 gas = sealLocalGas("sealLocal, all sign", organizations, 0);
        so(gas <= 170_000 + 31_000 * organizations + 235 * organizations * organizations);
    }

    function test_gas_sealLocalWithLateRows() public {
        sealLocalGas("sealLocal, majority signs, the others late", majority(), organizations - majority());
    }

    function test_gas_addRow() public {
        uint16[] memory who = new uint16[](1);
        who[0] = uint16(organizations - 1);
        ITraining.Votes memory last = late(local, who, opinions(1, organizations - 1));
        measure("addRows, one", address(training), abi.encodeCall(ITraining.addRows, (lastSealed(local), last)));
    }

    function test_gas_sealPaid() public {
        uint256 gas = sealGas("seal, all sign, paid before", steady, 0.3e9, organizations);
        so(gas <= limit());
        so(gas <= 120_000 + 13_300 * organizations);
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

    function localLimit() internal pure override returns (uint256) {
        return 250_000;
    }

    function test_gas_activate() public {
        IConsortium.Agreement memory agreement = draft(3);
        agreement.document = keccak256("another");
        bytes[] memory all = signatures(agreement);
        measure("activate", address(consortium), abi.encodeCall(IConsortium.activate, (agreement, all)));
    }

    function test_gas_signAgreement() public {
        IConsortium.Agreement memory agreement = draft(3);
        agreement.document = keccak256("another");
        bytes[] memory all = signatures(agreement);
        // The first one stores the most, but for the last, which costs what `activate` does.
        measure("sign, the first", address(consortium), abi.encodeCall(IConsortium.sign, (agreement, 0, all[0])));
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
        IClaims.Claim memory wanted = claimOf(steady, 0, address(0xBA27));
        bytes memory signature = sign(WALLET, digestOf(address(rewards), this.hashClaim(wanted)));
        measure("claim", address(rewards), abi.encodeCall(IClaims.claim, (wanted, signature)));
    }
}

contract Gas10Test is GasOf(10) {
    function limit() internal pure override returns (uint256) {
        return 300_000;
    }

    function localLimit() internal pure override returns (uint256) {
        return 500_000;
    }
}

contract Gas50Test is GasOf(50) {
    function limit() internal pure override returns (uint256) {
        return 900_000;
    }

    function localLimit() internal pure override returns (uint256) {
        return 2_500_000;
    }
}

/// @dev The largest consortium: no more than the lines through the others say.
contract Gas64Test is GasOf(64) {
    function limit() internal pure override returns (uint256) {
        return 971_200;
    }

    function localLimit() internal pure override returns (uint256) {
        return 3_116_560;
    }
}
