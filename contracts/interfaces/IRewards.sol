// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IClaims} from "./IClaims.sol";

/// @title Escrow, vesting, credit and claim
/// @notice One pool per run. vested = funded * min(gain, span) / span, rounded down; a round credits
/// (vested - credited) * numerator / divisor to each organization, rounded down; what rounding leaves is credited with a
/// later round, and what is never credited returns to the sponsor.
interface IRewards is IClaims {
    struct Pool {
        uint120 funded; // [wei]
        uint120 credited; // [wei] owed or paid to organizations
        bool closed; // nothing is credited any more
        bool atEnd; // nothing is paid before it is closed
        uint120 claimed; // [wei]
        uint120 refunded; // [wei]
        uint16 parties; // seats of the agreement when the pool was opened
        address sponsor;
        uint32 probation; // [s] that who joined later than `openedAt` waits; zero: nobody does
        uint64 openedAt; // [unix s]
        bytes32 agreement;
    }

    struct Account {
        uint128 accrued; // [wei] ever credited
        uint128 claimed; // [wei] ever paid
    }

    event PoolOpened(bytes32 indexed runId, address indexed sponsor);
    event Funded(bytes32 indexed runId, address indexed from, uint256 amount);
    event Credited(bytes32 indexed runId, uint256 vested, uint256 credited);
    event PoolClosed(bytes32 indexed runId);
    event Refunded(bytes32 indexed runId, address indexed sponsor, uint256 amount);

    error Rewards_OnlyTraining(address caller);
    error Rewards_UnknownRun(bytes32 runId);
    error Rewards_Closed(bytes32 runId);
    error Rewards_NotClosed(bytes32 runId);
    /// @notice The token moved nothing, or the pool would exceed 2^120 - 1.
    error Rewards_BadAmount(uint256 amount);
    /// @notice The split would credit more than there is.
    error Rewards_BadSplit(uint256 available, uint256 credited);
    error Rewards_NothingToRefund(bytes32 runId);
    /// @notice The terms pay at the end of the run, which is not reached yet.
    error Rewards_PaidAtTheEnd(bytes32 runId);
    /// @notice The party joined after the pool was opened, and is paid only from `until` on.
    error Rewards_OnProbation(bytes32 runId, uint16 party, uint256 until);

    /// @notice Opens the pool of a new run. Only Training.
    /// @dev Effects: an empty pool, and an empty account for every party there is. Requirements: a sponsor that a refund
    /// can be sent to.
    /// @param atEnd whether organizations are paid only once the pool is closed.
    /// @param probation [s] that an organization which joins the agreement after the run was created waits from then
    /// until it is paid. It is measured and credited like everybody else meanwhile.
    function open(bytes32 runId, bytes32 agreement, address sponsor, bool atEnd, uint32 probation) external;

    /// @notice Adds to a run's pool what the token really moved. Anyone may fund; the sponsor of the terms gets the rest
    /// back.
    /// @dev Effects: the pool grows; more of it may have vested at once. Requirements: a pool that is not closed; the
    /// caller has allowed it; something arrives, and the pool stays below 2^120.
    function fund(bytes32 runId, uint256 amount) external returns (uint256 received);

    /// @notice As `fund`, by a signed allowance; one that somebody else has posted already will do.
    function fundWithPermit(bytes32 runId, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        returns (uint256 received);

    /// @notice Vests up to `gain / span` of the pool and credits it by the row. Only Training.
    /// @dev Effects: credits each organization in proportion; nothing where no more is vested than was credited before.
    /// Requirements: not closed; the row gives away no more than all.
    /// @param shares packed as in ITraining.Attestation, checked there; the divisor is 10,000.
    /// @return credited [wei] now credited
    function settle(bytes32 runId, uint256 gain, uint256 span, bytes calldata shares)
        external
        returns (uint256 credited);

    /// @notice As `settle`, with finer numerators. Only Training.
    /// @param parts party << 240 | numerator, parties ascending; the numerators at most `divisor` in all.
    function settleParts(bytes32 runId, uint256 gain, uint256 span, uint256[] calldata parts, uint256 divisor)
        external
        returns (uint256 credited);

    /// @notice No more vesting; the rest may be refunded. Only Training.
    /// @dev Effects: closed, for good. Requirements: none, so that a run can always end.
    function close(bytes32 runId) external;

    /// @notice Sends what was never credited to the sponsor. Anyone may call.
    /// @dev Effects: it is returned; what was credited stays. Requirements: the pool is closed, and something is left.
    function refund(bytes32 runId) external returns (uint256 amount);

    function training() external view returns (address);
    function pool(bytes32 runId) external view returns (Pool memory);
    function account(bytes32 runId, uint16 party) external view returns (Account memory);
    /// @notice vested(runId, gain, span): the one place that divides the pool.
    function vested(bytes32 runId, uint256 gain, uint256 span) external view returns (uint256 amount);
}
