// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IClaims} from "./IClaims.sol";
import {IRewards} from "./IRewards.sol";
import {ITraining} from "./ITraining.sol";

/// @title Licenses of finished models, and what they earn for who made them
/// @notice Whatever a finished run earns, by licenses or otherwise, belongs to the organizations in proportion to what
/// the run credited to them in all: entitled = received * accrued / credited, rounded down; where nobody was
/// credited anything, received / parties. It is computed when it is claimed, over everything received up to then: taking
/// money in costs the same whatever the number of organizations and payments, and what rounding leaves, less than
/// one wei for each of them, is there for later claims.
/// The price is that of the run's terms, until the organizations vote for another one.
interface IRoyalties is IClaims {
    struct Sale {
        uint128 received; // [wei]
        uint128 claimed; // [wei]
        uint128 price; // [wei] as last voted
        uint64 votes; // that carried a price
        uint64 licenses; // sold
    }

    /// @notice Sets the price of one license. Signed by the wallets of organizations.
    struct Pricing {
        bytes32 runId;
        uint128 price; // [wei]; zero: not for sale
        uint256 nonce; // `sale(runId).votes`
        uint64 deadline; // [unix s]
    }

    event Priced(bytes32 indexed runId, uint128 price);
    event Licensed(
        bytes32 indexed runId, address indexed licensee, address indexed buyer, uint64 number, uint256 amount
    );
    event Paid(bytes32 indexed runId, address indexed from, uint256 amount);

    error Royalties_NotFinished(bytes32 runId);
    error Royalties_NotForSale(bytes32 runId);
    error Royalties_TooExpensive(uint256 price, uint256 maxPrice);
    error Royalties_NoLicensee();
    /// @notice The token moved nothing, or the run would have received more than 2^128 - 1.
    error Royalties_BadAmount(uint256 amount);
    error Royalties_DeadlinePassed(uint64 deadline);
    error Royalties_WrongNonce(uint256 expected, uint256 got);

    /// @notice Sets the price by vote; anyone may post it, at any time of the run.
    /// @dev Effects: later licenses cost this. Requirements: in time; the nonce; carried by the agreement's
    /// organizations, as Council counts them.
    function setPrice(Pricing calldata pricing, uint16[] calldata voters, bytes[] calldata signatures) external;

    /// @notice Buys one license of the run's final model for `licensee`, at the price of the moment.
    /// @dev Effects: the licensee has one more license; the run has received what the token really moved.
    /// Requirements: a finished run with a price, of at most `maxPrice`; the caller has allowed it.
    /// @return number of the license, from 1
    function buy(bytes32 runId, address licensee, uint256 maxPrice) external returns (uint64 number);

    /// @notice As `buy`, by a signed allowance of `maxPrice`; one that somebody else has posted already will do.
    function buyWithPermit(
        bytes32 runId,
        address licensee,
        uint256 maxPrice,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (uint64 number);

    /// @notice Pays any amount to those who made the model: a stream of small payments, one by one. Buys no license.
    /// @dev Effects: the run has received what the token really moved. Requirements: a finished run; the caller has
    /// allowed it; something arrives.
    function pay(bytes32 runId, uint256 amount) external returns (uint256 received);

    /// @notice As `pay`, by a signed allowance; one that somebody else has posted already will do.
    function payWithPermit(bytes32 runId, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        returns (uint256 received);

    function training() external view returns (ITraining);
    function rewards() external view returns (IRewards);
    /// @notice [wei] of one license; zero: not for sale.
    function price(bytes32 runId) external view returns (uint128);
    function sale(bytes32 runId) external view returns (Sale memory);
    /// @notice Licenses that somebody holds of a run's model.
    function licensed(bytes32 runId, address licensee) external view returns (uint256 count);
    /// @notice [wei] of everything the run has received that is the party's, and how much of it was paid.
    function account(bytes32 runId, uint16 party) external view returns (uint256 entitled, uint256 claimed);
}
