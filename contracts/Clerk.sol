// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Adopted} from "./clerk/Adopted.sol";
import {LocalRows} from "./clerk/LocalRows.sol";
import {Participation} from "./clerk/Participation.sol";
import {Registrar} from "./clerk/Registrar.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {IPresence} from "./interfaces/IPresence.sol";
import {IStakes} from "./interfaces/IStakes.sol";

/// @title The books behind the referee (see IClerk)
/// @dev Three contracts in one, because a call to a contract of its own is dear, and one more in each round.
contract Clerk is Registrar, LocalRows {
    constructor(IConsortium consortium_, IStakes stakes_, IPresence presence_)
        Adopted(consortium_)
        Participation(stakes_, presence_)
    {}
}
