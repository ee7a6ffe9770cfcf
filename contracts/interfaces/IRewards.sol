// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IConsortium} from "./IConsortium.sol";

/// @title Escrow, vesting, credit and claim
/// @notice One pool per run. vested = funded * min(gain, span) / span, rounded down; a round credits
/// (vested - credited) * share / 10,000 to each organization, rounded down; what rounding leaves is credited with a
/// later round, and what is never credited returns to the sponsor.
interface IRewards {
    struct Pool {
        address sponsor;
        bool closed;
        uint128 funded; // [wei]
        uint128 credited; // [wei] owed or paid to organizations
        uint128 claimed; // [wei]
        uint128 refunded; // [wei]
    }

    struct Account {
        uint128 accrued; // [wei] ever credited
        uint128 claimed; // [wei] ever paid
    }

    /// @notice Pays an organization what it accrued. Signed by the party's wallet; anyone may post it.
    struct Claim {
        bytes32 runId;
        uint16 party;
        address recipient;
        uint256 nonce; // `claimNonce(runId, party)`
        uint64 deadline; // [unix s]
    }

    event PoolOpened(bytes32 indexed runId, address indexed sponsor);
    event Funded(bytes32 indexed runId, address indexed from, uint256 amount);
    event Credited(bytes32 indexed runId, uint256 vested, uint256 credited);
    event Claimed(bytes32 indexed runId, uint16 indexed party, address indexed recipient, uint256 amount);
    event PoolClosed(bytes32 indexed runId);
    event Refunded(bytes32 indexed runId, address indexed sponsor, uint256 amount);

    error Rewards_OnlyTraining(address caller);
    error Rewards_UnknownRun(bytes32 runId);
    error Rewards_Closed(bytes32 runId);
    error Rewards_NotClosed(bytes32 runId);
    /// @notice The token moved nothing, or the pool would exceed 2^127 - 1.
    error Rewards_BadAmount(uint256 amount);
    error Rewards_NothingToClaim(bytes32 runId, uint16 party);
    error Rewards_NothingToRefund(bytes32 runId);
    error Rewards_WrongNonce(uint256 expected, uint256 got);
    error Rewards_DeadlinePassed(uint64 deadline);
    error Rewards_NotTheParty(uint16 party, address signer);
    /// @notice The zero address, the token and this contract would lose what they are sent.
    error Rewards_BadRecipient(address recipient);

    /// @notice Opens the pool of a new run. Only Training.
    function open(bytes32 runId, bytes32 agreement, address sponsor) external;

    /// @notice Adds to a run's pool what the token really moved. Anyone may fund; the sponsor of the terms gets the rest
    /// back.
    function fund(bytes32 runId, uint256 amount) external returns (uint256 received);

    /// @notice As `fund`, by a signed allowance; one that somebody else has posted already will do.
    function fundWithPermit(bytes32 runId, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        returns (uint256 received);

    /// @notice Vests up to `gain / span` of the pool and credits it by the row. Only Training.
    /// @param shares packed as in ITraining.Attestation, checked there.
    /// @return credited [wei] now credited
    function settle(bytes32 runId, uint256 gain, uint256 span, bytes calldata shares)
        external
        returns (uint256 credited);

    /// @notice No more vesting; the rest may be refunded. Only Training.
    function close(bytes32 runId) external;

    /// @notice Pays out by a signed claim.
    function claim(Claim calldata claim_, bytes calldata walletSignature) external returns (uint256 amount);

    /// @notice Pays out to a recipient of the caller's choice; the caller is the party's wallet. Like every payment it
    /// counts up the nonce: claims signed before are void.
    function claimTo(bytes32 runId, uint16 party, address recipient) external returns (uint256 amount);

    /// @notice Sends what was never credited to the sponsor, once the pool is closed. Anyone may call.
    function refund(bytes32 runId) external returns (uint256 amount);

    function token() external view returns (IERC20);
    function consortium() external view returns (IConsortium);
    function training() external view returns (address);
    function pool(bytes32 runId) external view returns (Pool memory);
    function account(bytes32 runId, uint16 party) external view returns (Account memory);
    function claimNonce(bytes32 runId, uint16 party) external view returns (uint256);
    /// @notice vested(runId, gain, span): the one place that divides the pool.
    function vested(bytes32 runId, uint256 gain, uint256 span) external view returns (uint256 amount);
}
