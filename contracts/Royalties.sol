// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IRewards} from "./interfaces/IRewards.sol";
import {IRoyalties} from "./interfaces/IRoyalties.sol";
import {ITraining} from "./interfaces/ITraining.sol";
import {Messages} from "./libraries/Messages.sol";
import {Tokens} from "./libraries/Tokens.sol";
import {Claims} from "./Claims.sol";

/// @title Licenses and royalties (see IRoyalties)
/// @dev Nobody owns this contract. What it receives for a run leaves it by the claims of that run's organizations.
contract Royalties is IRoyalties, Claims {
    using Tokens for IERC20;

    /// @inheritdoc IRoyalties
    ITraining public immutable training;
    /// @inheritdoc IRoyalties
    IRewards public immutable rewards;
    /// @inheritdoc IRoyalties
    mapping(bytes32 runId => mapping(address licensee => uint256)) public licensed;

    mapping(bytes32 runId => Sale) private _sales;
    mapping(bytes32 runId => mapping(uint256 party => uint256)) private _claimed;

    constructor(ITraining training_) Claims(training_.rewards().token(), training_.consortium()) {
        training = training_;
        rewards = training_.rewards();
    }

    /// @inheritdoc IRoyalties
    function setPrice(Pricing calldata pricing, uint16[] calldata voters, bytes[] calldata signatures) external {
        Sale storage sale_ = _sales[pricing.runId];

        // Check: in time, not an older vote once more, and carried
        if (block.timestamp > pricing.deadline) revert Royalties_DeadlinePassed(pricing.deadline);
        if (pricing.nonce != sale_.votes) revert Royalties_WrongNonce(sale_.votes, pricing.nonce);
        bytes32 digest = _hashTypedDataV4(Messages.hash(pricing));
        consortium.council().requireVotes(_agreementOf(pricing.runId), digest, voters, signatures);

        // Effect: the price from now on
        sale_.price = pricing.price;
        sale_.votes += 1;
        emit Priced(pricing.runId, pricing.price);
    }

    /// @inheritdoc IRoyalties
    function buy(bytes32 runId, address licensee, uint256 maxPrice) external nonReentrant returns (uint64 number) {
        return _buy(runId, licensee, maxPrice);
    }

    /// @inheritdoc IRoyalties
    /// @dev The books follow what the token really moved, so they are written after it was called, under the guard.
    // slither-disable-next-line reentrancy-benign
    function buyWithPermit(
        bytes32 runId,
        address licensee,
        uint256 maxPrice,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant returns (uint64 number) {
        token.permit(maxPrice, deadline, v, r, s);
        return _buy(runId, licensee, maxPrice);
    }

    /// @inheritdoc IRoyalties
    function pay(bytes32 runId, uint256 amount) external nonReentrant returns (uint256 received) {
        return _pay(runId, amount);
    }

    /// @inheritdoc IRoyalties
    function payWithPermit(bytes32 runId, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
        returns (uint256 received)
    {
        token.permit(amount, deadline, v, r, s);
        return _pay(runId, amount);
    }

    /// @inheritdoc IRoyalties
    function sale(bytes32 runId) external view returns (Sale memory) {
        return _sales[runId];
    }

    /// @inheritdoc IRoyalties
    function account(bytes32 runId, uint16 party) external view returns (uint256 entitled, uint256 claimed) {
        return (_entitled(runId, party), _claimed[runId][party]);
    }

    /// @inheritdoc IRoyalties
    function price(bytes32 runId) public view returns (uint128) {
        Sale storage sale_ = _sales[runId];
        return sale_.votes == 0 ? training.terms(runId).licensePrice : sale_.price;
    }

    function _buy(bytes32 runId, address licensee, uint256 maxPrice) private returns (uint64 number) {
        // Check: for somebody, for sale, and not dearer than the buyer thinks
        if (licensee == address(0)) revert Royalties_NoLicensee();
        uint128 price_ = price(runId);
        if (price_ == 0) revert Royalties_NotForSale(runId);
        if (price_ > maxPrice) revert Royalties_TooExpensive(price_, maxPrice);

        uint256 received = _receive(runId, price_);

        // Effect: one license more
        number = ++_sales[runId].licenses;
        licensed[runId][licensee] += 1;
        emit Licensed(runId, licensee, msg.sender, number, received);
    }

    function _pay(bytes32 runId, uint256 amount) private returns (uint256 received) {
        received = _receive(runId, amount);
        emit Paid(runId, msg.sender, received);
    }

    function _receive(bytes32 runId, uint256 amount) private returns (uint256 received) {
        // Check: shares do not change any more
        if (!rewards.pool(runId).closed) revert Royalties_NotFinished(runId);

        // Interaction: the token
        received = token.pull(amount);

        // Check: something arrived, and it fits
        Sale storage sale_ = _sales[runId];
        uint256 before = sale_.received;
        if (received == 0 || received > type(uint128).max - before) revert Royalties_BadAmount(received);

        // Effect: everybody is entitled to more
        sale_.received = uint128(before + received);
    }

    /// @dev What the party is entitled to and was not paid yet.
    function _take(bytes32 runId, uint16 party) internal override returns (uint256 due) {
        uint256 before = _claimed[runId][party];
        due = _entitled(runId, party) - before;
        if (due == 0) return 0;

        // Effect: paid
        _claimed[runId][party] = before + due;
        _sales[runId].claimed += uint128(due);
    }

    function _agreementOf(bytes32 runId) internal view override returns (bytes32) {
        return rewards.pool(runId).agreement;
    }

    /// @dev The one place that divides. Grows with what is received, and nothing else in it changes once a run can
    /// receive anything.
    function _entitled(bytes32 runId, uint16 party) private view returns (uint256) {
        uint256 received = _sales[runId].received;
        if (received == 0) return 0;
        // Called for each run that is claimed for: how many is up to who pays the gas.
        // slither-disable-next-line calls-loop
        IRewards.Pool memory pool = rewards.pool(runId);
        // slither-disable-next-line calls-loop
        if (pool.credited != 0) return received * rewards.account(runId, party).accrued / pool.credited;
        return party < pool.parties ? received / pool.parties : 0;
    }
}
