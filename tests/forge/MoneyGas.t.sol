// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaims} from "../../contracts/interfaces/IClaims.sol";
import {IPresence} from "../../contracts/interfaces/IPresence.sol";
import {IRoyalties} from "../../contracts/interfaces/IRoyalties.sol";
import {IStakes} from "../../contracts/interfaces/IStakes.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Vaults} from "./Vaults.sol";

/// @dev What whole transactions that move money cost, calldata and the 21,000 included, with cold storage.
/// `forge test --match-contract MoneyGas -vv`.
contract MoneyGasTest is Vaults {
    event log_named_uint(string what, uint256 gas); // forge prints it

    bytes32 internal id;
    bytes32[] internal runs; // ten finished ones
    bytes32 internal open;

    function setUp() public override {
        super.setUp();
        id = gathered(staking(3), 3);
        for (uint16 p = 0; p < 3; ++p) {
            deposit(id, p, MIN_STAKE);
        }
        for (uint256 r = 0; r < 10; ++r) {
            runs.push(finished(id, string.concat("run-", vm.toString(r)), 1000e18, equalRow(3)));
        }
        open = createRun(request(id, "open"), WALLET);
        sealRound(open, CEILING, "", 3);
        allow(address(this), address(stakes), 1000e18);
        allow(address(this), address(royalties), 1000e18);
        royalties.pay(runs[0], 1e18);
    }

    function measure(string memory what, address target, bytes memory data) internal returns (uint256 gas) {
        return measure(what, target, data, 0);
    }

    function measure(string memory what, address target, bytes memory data, uint256 value)
        internal
        returns (uint256 gas)
    {
        address[7] memory all = [
            address(token),
            address(consortium),
            address(training),
            address(rewards),
            address(stakes),
            address(presence),
            address(royalties)
        ];
        for (uint256 i = 0; i < all.length; ++i) {
            vm.cool(all[i]);
        }
        // The account that a transaction goes to is warm.
        so(target.code.length != 0);
        gas = gasleft();
        (bool done,) = target.call{value: value}(data);
        gas -= gasleft();
        so(done);
        gas += 21_000;
        for (uint256 i = 0; i < data.length; ++i) {
            gas += data[i] == 0 ? 4 : 16;
        }
        emit log_named_uint(what, gas);
    }

    function claimGas(string memory what, bytes32[] memory runIds) internal returns (uint256) {
        IClaims.Claim memory wanted = claimOf(rewards, id, runIds, 0, address(0xBA27));
        bytes memory signature = sign(WALLET, digestOf(address(rewards), this.hashClaim(wanted)));
        return measure(what, address(rewards), abi.encodeCall(IClaims.claim, (wanted, signature)));
    }

    function test_gas_claim() public {
        claimGas("claim, the first of a party, to a new holder", only(runs[0]));
    }

    function test_gas_claimOfTenRuns() public {
        claim(claimOf(rewards, id, only(runs[9]), 1, address(0xBA27)), WALLET + 1);
        uint256 ten = claimGas("claim of ten runs", runs);
        // Cheaper by far than ten claims.
        so(ten < 10 * 100_000);
    }

    function test_gas_claimFor() public {
        delegate(rewards, delegation(rewards, id, 0, address(this), address(0xBA27)), WALLET);
        measure("claimFor", address(rewards), abi.encodeCall(IClaims.claimFor, (only(runs[0]), 0)));
    }

    function test_gas_delegate() public {
        IClaims.Delegation memory wanted = delegation(rewards, id, 0, address(this), address(0xBA27));
        bytes memory signature = sign(WALLET, digestOf(address(rewards), this.hashDelegation(wanted)));
        measure("delegate", address(rewards), abi.encodeCall(IClaims.delegate, (wanted, signature)));
    }

    function test_gas_deposit() public {
        measure("deposit", address(stakes), abi.encodeCall(IStakes.deposit, (id, 0, 1e18)));
    }

    function test_gas_unlockAndWithdraw() public {
        deposit(id, 0, MIN_STAKE);
        IStakes.Unlocking memory wanted = unlocking(id, 0, 1e18, address(0xBA27));
        bytes memory signature = sign(WALLET, digestOf(address(stakes), this.hashUnlocking(wanted)));
        measure("unlock", address(stakes), abi.encodeCall(IStakes.unlock, (wanted, signature)));
        vm.warp(START + 30 days);
        measure("withdraw", address(stakes), abi.encodeCall(IStakes.withdraw, (id, 0)));
    }

    function test_gas_slashUpdates() public {
        IStakes.Update memory a = update(open, 1, "a");
        IStakes.Update memory b = update(open, 1, "b");
        (bytes memory x, bytes memory y) = (node(open, 1, this.hashUpdate(a)), node(open, 1, this.hashUpdate(b)));
        bytes memory data = abi.encodeCall(IStakes.slashUpdates, (address(training), 1, a, b, x, y));
        measure("slash by two updates", address(stakes), data);
        measure("collect", address(stakes), abi.encodeCall(IStakes.collect, (CHARITY)));
    }

    function test_gas_slashAttestations() public {
        ITraining.Attestation memory a = attestation(open, 0.4e9, equalRow(3));
        ITraining.Attestation memory b = attestation(open, 0.5e9, equalRow(3));
        (bytes memory x, bytes memory y) =
            (node(open, 1, this.hashAttestation(a)), node(open, 1, this.hashAttestation(b)));
        bytes memory data = abi.encodeCall(IStakes.slashAttestations, (address(training), 1, a, b, x, y));
        measure("slash by two attestations", address(stakes), data);
    }

    function test_gas_slashRosters() public {
        IStakes.Roster memory a = roster(open, 0, 3, "a");
        IStakes.Roster memory b = roster(open, 0, 2, "b");
        (bytes memory x, bytes memory y) = (node(open, 0, this.hashRoster(a)), node(open, 0, this.hashRoster(b)));
        bytes memory data = abi.encodeCall(IStakes.slashRosters, (address(training), 0, a, b, x, y));
        measure("slash by two rosters", address(stakes), data);
    }

    function test_gas_suspectAndAlive() public {
        coinVm.deal(address(this), 1 ether);
        IPresence.Suspicion memory raised = suspicion(id, 1, 0);
        bytes memory signature = sign(nodeKey[id][0], digestOf(address(presence), this.hashSuspicion(raised)));
        bytes memory data = abi.encodeCall(IPresence.suspect, (raised, signature));
        measure("suspect", address(presence), data, 1e15);

        IPresence.Alive memory said = answer(id, 1, 1);
        signature = sign(nodeKey[id][1], digestOf(address(presence), this.hashAlive(said)));
        data = abi.encodeCall(IPresence.alive, (said, false, signature));
        uint256 gas = measure("alive", address(presence), data);
        // What a suspicion has to deposit suffices, collecting it included.
        gas += measure("collect a deposit", address(presence), abi.encodeCall(IPresence.collect, (address(this))));
        so(gas <= presence.ANSWER_GAS());
    }

    function test_gas_leaveOut() public {
        suspect(suspicion(id, 1, 0), 0);
        vm.warp(START + 2 hours);
        measure("leaveOut", address(presence), abi.encodeCall(IPresence.leaveOut, (id, 1)));
        IPresence.Alive memory said = answer(id, 1, 1);
        bytes memory signature = sign(nodeKey[id][1], digestOf(address(presence), this.hashAlive(said)));
        measure(
            "alive, of one that was left out",
            address(presence),
            abi.encodeCall(IPresence.alive, (said, false, signature))
        );
    }

    function test_gas_buyAndPay() public {
        measure("buy", address(royalties), abi.encodeCall(IRoyalties.buy, (runs[0], address(0xBA27), 10e18)));
        measure("pay, one of many", address(royalties), abi.encodeCall(IRoyalties.pay, (runs[0], 1e18)));
    }

    function test_gas_claimRoyalties() public {
        IClaims.Claim memory wanted = claimOf(royalties, id, only(runs[0]), 0, address(0xBA27));
        bytes memory signature = sign(WALLET, digestOf(address(royalties), this.hashClaim(wanted)));
        measure("claim of royalties", address(royalties), abi.encodeCall(IClaims.claim, (wanted, signature)));
    }

    receive() external payable {}
}
