// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ICouncil} from "../../contracts/interfaces/ICouncil.sol";
import {Voting} from "./Voting.sol";

/// @dev An agreement in whatever state is asked for.
abstract contract States is Voting {
    uint8 internal constant STATES = uint8(type(IConsortium.State).max) + 1;

    bytes32 internal id;

    /// @dev Four parties that begin tomorrow, and end after ten days.
    function coming() internal pure returns (IConsortium.Agreement memory agreement) {
        agreement = draft(4);
        agreement.notBefore = uint64(START + 1 days);
        agreement.notAfter = uint64(START + 10 days);
    }

    /// @dev A new deployment in which that agreement is in that state; where it ever was in force, everyone has a node.
    function enter(IConsortium.State state) internal {
        vm.warp(START);
        redeploy();
        IConsortium.Agreement memory agreement = coming();
        id = this.hashAgreement(agreement);
        if (state == IConsortium.State.None) return;
        if (state == IConsortium.State.Offered) {
            signOne(agreement, 1);
            return;
        }
        amend(agreement);
        if (state == IConsortium.State.Signed) return;
        vm.warp(START + 1 days);
        for (uint16 p = 0; p < 4; ++p) {
            enroll(id, p, "n1");
        }
        if (state == IConsortium.State.Amending) signOne(amendment(id, agreement), 0);
        if (state == IConsortium.State.Suspended) carry(id, ICouncil.Action.Suspend);
        if (state == IConsortium.State.Terminated) carry(id, ICouncil.Action.Terminate);
        if (state == IConsortium.State.Expired) vm.warp(START + 10 days + 1);
    }
}
