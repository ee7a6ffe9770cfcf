// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ICouncil} from "../../contracts/interfaces/ICouncil.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {States} from "./States.sol";
import {ContractWallet} from "./Voting.sol";

/// @dev What can be done in every state of an agreement, and who can do it.
contract PermissionsTest is States {
    /// @dev What is tried in every state.
    enum Act {
        Sign,
        Activate,
        Enroll,
        Retire,
        Leave,
        Amend,
        Suspend,
        Resume,
        Terminate,
        Remove,
        ReplaceWallet,
        MoveWallet,
        CreateRun
    }

    /// @dev Who signs what a party would have to sign.
    enum Role {
        Itself,
        ItselfByContract,
        AnotherParty,
        ContractOfAnother,
        Removed,
        ItsNode,
        Stranger
    }

    error Wrong(Act act, IConsortium.State state);
    error WrongRole(Act act, Role role);

    // What each state allows, and to whom: a row for each act, a column for each state from None to Expired

    function allowed(Act act) internal pure returns (bytes memory) {
        //                                 None
        //                                 |Offered
        //                                 ||Signed
        //                                 |||Active
        //                                 ||||Amending
        //                                 |||||Suspended
        //                                 ||||||Terminated
        //                                 |||||||Expired
        if (act == Act.Sign) return "xx......";
        if (act == Act.Activate) return "xx......";
        if (act == Act.Enroll) return "...xx...";
        if (act == Act.Retire) return "...xxxxx"; // before, there are no nodes
        if (act == Act.Leave) return "..xxxx..";
        if (act == Act.Amend) return "...xx...";
        if (act == Act.Suspend) return "...xx...";
        if (act == Act.Resume) return ".....x..";
        if (act == Act.Terminate) return "..xxxx..";
        if (act == Act.Remove) return "..xxxx..";
        if (act == Act.ReplaceWallet) return "..xxxxxx";
        if (act == Act.MoveWallet) return "..xxxxxx";
        return "...xx..."; // CreateRun
    }

    /// @dev In every state; and, in a state that allows it, by every role.
    function each(Act act) internal {
        bytes memory row = allowed(act);
        same(row.length, STATES);
        for (uint8 s = 0; s < STATES; ++s) {
            enter(IConsortium.State(s));
            if (done(act) != (row[s] == "x")) revert Wrong(act, IConsortium.State(s));
        }
        for (uint8 r = 0; r <= uint8(type(Role).max); ++r) {
            bool own = Role(r) == Role.Itself || Role(r) == Role.ItselfByContract;
            if (doneBy(act, Role(r)) != own) revert WrongRole(act, Role(r));
        }
    }

    function done(Act act) internal returns (bool ok) {
        (address target, bytes memory data) = call(act, WALLET);
        (ok,) = target.call(data);
    }

    /// @dev What party 0 would post, its own signature made by `key`.
    function call(Act act, uint256 key) internal view returns (address, bytes memory) {
        if (act == Act.Sign) {
            bytes memory signature = signatureOf(coming(), key);
            return (address(consortium), abi.encodeCall(IConsortium.sign, (coming(), 0, signature)));
        }
        if (act == Act.Activate) return activation(coming(), key);
        if (act == Act.Amend) {
            IConsortium.Agreement memory next = coming();
            (next.previous, next.version) = (id, 2);
            return activation(next, key);
        }
        if (act == Act.Enroll) {
            IConsortium.Enrollment memory wanted = IConsortium.Enrollment(
                id, 0, "another", vm.addr(1), "", true, soon(), exists() ? consortium.enrollmentNonce(id, 0) : 0
            );
            bytes32 digest = digestOf(address(consortium), this.hashEnrollment(wanted));
            bytes memory data = abi.encodeCall(IConsortium.enroll, (wanted, sign(key, digest), sign(1, digest)));
            return (address(consortium), data);
        }
        if (act == Act.Retire) {
            IConsortium.Retirement memory wanted = IConsortium.Retirement(id, 0, soon());
            bytes memory signature = sign(key, digestOf(address(consortium), this.hashRetirement(wanted)));
            return (address(consortium), abi.encodeCall(IConsortium.retire, (wanted, signature)));
        }
        if (act == Act.Leave) {
            (IConsortium.Leaving memory leaving, bytes memory signature) = leavingBy(id, 0, key);
            return (address(consortium), abi.encodeCall(IConsortium.leaveAgreement, (leaving, signature)));
        }
        if (act == Act.MoveWallet) {
            ICouncil.Move memory wanted = move(id, 0, vm.addr(SPARE));
            bytes32 digest = digestOf(address(council), this.hashMove(wanted));
            bytes memory data = abi.encodeCall(ICouncil.moveWallet, (wanted, sign(key, digest), sign(SPARE, digest)));
            return (address(council), data);
        }
        if (act == Act.CreateRun) {
            ITraining.RunRequest memory wanted = request(id, "run");
            bytes memory signature = sign(key, digestOf(address(training), this.hashRunRequest(wanted)));
            bytes memory data = abi.encodeCall(ITraining.createRun, (wanted, terms(), signature));
            return (address(training), data);
        }
        return vote(act, key);
    }

    function activation(IConsortium.Agreement memory agreement, uint256 key)
        internal
        view
        returns (address, bytes memory)
    {
        bytes[] memory all = allSign(agreement);
        all[0] = signatureOf(agreement, key);
        return (address(consortium), abi.encodeCall(IConsortium.activate, (agreement, all)));
    }

    /// @dev Three votes of four; or of three, where party 3 is the one concerned.
    function vote(Act act, uint256 key) internal view returns (address, bytes memory) {
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action(uint8(act) - uint8(Act.Suspend)), 0, address(0));
        if (act == Act.ReplaceWallet) wanted.wallet = vm.addr(SPARE + 3);
        if (act == Act.Remove || act == Act.ReplaceWallet) wanted.party = 3;
        bytes[] memory all = ballots(wanted, first(3));
        all[0] = sign(key, digestOf(address(council), this.hashMotion(wanted)));
        return (address(council), abi.encodeCall(ICouncil.decide, (wanted, first(3), all)));
    }

    function exists() internal view returns (bool) {
        return consortium.state(id) >= IConsortium.State.Signed;
    }

    function doneBy(Act act, Role role) internal returns (bool ok) {
        enter(stateFor(act));
        uint256 key = WALLET;
        if (role == Role.ItselfByContract) {
            bytes memory code = address(new ContractWallet(vm.addr(STRANGER))).code;
            vm.etch(vm.addr(WALLET), code);
            key = STRANGER;
        } else if (role == Role.AnotherParty) {
            key = WALLET + 1;
        } else if (role == Role.ContractOfAnother) {
            vm.etch(vm.addr(WALLET), address(new ContractWallet(vm.addr(WALLET + 1))).code);
        } else if (role == Role.Removed) {
            if (exists() && consortium.state(id) < IConsortium.State.Terminated) leave_(id, 2);
            key = WALLET + 2;
        } else if (role == Role.ItsNode) {
            key = nodeKey[id][0] == 0 ? NODE : nodeKey[id][0];
        } else if (role == Role.Stranger) {
            key = STRANGER;
        }
        (address target, bytes memory data) = call(act, key);
        (ok,) = target.call(data);
        vm.etch(vm.addr(WALLET), "");
    }

    function stateFor(Act act) internal pure returns (IConsortium.State) {
        bytes memory row = allowed(act);
        for (uint8 s = STATES; s > 0; --s) {
            if (row[s - 1] == "x") return IConsortium.State(s - 1);
        }
        return IConsortium.State.None;
    }

    // A test for each act: a block has not the gas for all of them at once

    function test_states_sign() public {
        each(Act.Sign);
    }

    function test_states_activate() public {
        each(Act.Activate);
    }

    function test_states_enroll() public {
        each(Act.Enroll);
    }

    function test_states_retire() public {
        each(Act.Retire);
    }

    function test_states_leave() public {
        each(Act.Leave);
    }

    function test_states_amend() public {
        each(Act.Amend);
    }

    function test_states_suspend() public {
        each(Act.Suspend);
    }

    function test_states_resume() public {
        each(Act.Resume);
    }

    function test_states_terminate() public {
        each(Act.Terminate);
    }

    function test_states_remove() public {
        each(Act.Remove);
    }

    function test_states_replaceWallet() public {
        each(Act.ReplaceWallet);
    }

    function test_states_moveWallet() public {
        each(Act.MoveWallet);
    }

    function test_states_createRun() public {
        each(Act.CreateRun);
    }
}
