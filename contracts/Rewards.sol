// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {IRewards} from "./interfaces/IRewards.sol";
import {Split, Splits} from "./libraries/Splits.sol";
import {Tokens} from "./libraries/Tokens.sol";
import {Claims} from "./Claims.sol";

/// @title Escrow, vesting, credit and claim (see IRewards)
/// @dev Made by the constructor of Training, which is the only one that can open, settle and close pools. Nobody, the
/// deployer included, can take tokens out but by a claim or a refund.
contract Rewards is IRewards, Claims {
    using SafeERC20 for IERC20;
    using Splits for Split;
    using Tokens for IERC20;

    // The highest bit of an accounts' slot: set when the run is created, so that the round that first pays an
    // organization costs no more than the later ones. An account has 127 bits, more than any pool can hold.
    uint256 private constant OPENED = 1 << 255;
    uint256 private constant ACCOUNT_BITS = type(uint128).max >> 1;
    uint256 private constant MAX_POOL = type(uint120).max;

    /// @inheritdoc IRewards
    address public immutable training;

    mapping(bytes32 runId => Pool) private _pools;
    // What two neighboring parties accrued shares a slot: half the writes when a round is paid.
    mapping(bytes32 runId => mapping(uint256 pair => uint256)) private _accrued;
    mapping(bytes32 runId => mapping(uint256 party => uint256)) private _claimed;

    modifier onlyTraining() {
        if (msg.sender != training) revert Rewards_OnlyTraining(msg.sender);
        _;
    }

    constructor(IERC20 token_, IConsortium consortium_) Claims(token_, consortium_) {
        training = msg.sender;
    }

    /// @inheritdoc IRewards
    function open(bytes32 runId, bytes32 agreement, address sponsor, bool atEnd, uint32 probation)
        external
        onlyTraining
    {
        // Check: a refund will have somewhere to go
        _checkRecipient(sponsor);

        // Effect: an empty pool, and an empty account for every party
        uint16 parties = consortium.partyCount(agreement);
        Pool storage pool_ = _pools[runId];
        pool_.atEnd = atEnd;
        pool_.parties = parties;
        pool_.sponsor = sponsor;
        pool_.probation = probation;
        pool_.openedAt = uint64(block.timestamp);
        pool_.agreement = agreement;
        uint256 pairs = (uint256(parties) + 1) / 2;
        for (uint256 pair = 0; pair < pairs; ++pair) {
            _accrued[runId][pair] = OPENED;
        }

        emit PoolOpened(runId, sponsor);
    }

    /// @inheritdoc IRewards
    function fund(bytes32 runId, uint256 amount) external nonReentrant returns (uint256 received) {
        return _fund(runId, amount);
    }

    /// @inheritdoc IRewards
    function fundWithPermit(bytes32 runId, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
        returns (uint256 received)
    {
        token.permit(amount, deadline, v, r, s);
        return _fund(runId, amount);
    }

    /// @inheritdoc IRewards
    function settle(bytes32 runId, uint256 gain, uint256 span, bytes calldata shares)
        external
        onlyTraining
        returns (uint256 credited)
    {
        return _settle(runId, gain, span, Splits.ofShares(shares));
    }

    /// @inheritdoc IRewards
    function settleParts(bytes32 runId, uint256 gain, uint256 span, uint256[] calldata parts, uint256 divisor)
        external
        onlyTraining
        returns (uint256 credited)
    {
        return _settle(runId, gain, span, Splits.ofParts(parts, divisor));
    }

    /// @inheritdoc IRewards
    function close(bytes32 runId) external onlyTraining {
        _pools[runId].closed = true;
        emit PoolClosed(runId);
    }

    /// @inheritdoc IRewards
    function refund(bytes32 runId) external nonReentrant returns (uint256 amount) {
        Pool storage pool_ = _pool(runId);

        // Check: nothing will vest any more, and something is left
        if (!pool_.closed) revert Rewards_NotClosed(runId);
        amount = pool_.funded - pool_.credited - pool_.refunded;
        if (amount == 0) revert Rewards_NothingToRefund(runId);

        // Effect: returned
        address sponsor = pool_.sponsor;
        pool_.refunded += uint120(amount);
        emit Refunded(runId, sponsor, amount);

        // Interaction: the token
        token.safeTransfer(sponsor, amount);
    }

    /// @inheritdoc IRewards
    function pool(bytes32 runId) external view returns (Pool memory) {
        return _pool(runId);
    }

    /// @inheritdoc IRewards
    function account(bytes32 runId, uint16 party) external view returns (Account memory) {
        return Account(uint128(_accruedBy(runId, party)), uint128(_claimed[runId][party]));
    }

    /// @inheritdoc IRewards
    function vested(bytes32 runId, uint256 gain, uint256 span) external view returns (uint256 amount) {
        return _vested(_pool(runId).funded, gain, span);
    }

    function _fund(bytes32 runId, uint256 amount) private returns (uint256 received) {
        Pool storage pool_ = _pool(runId);

        // Check: the pool still pays
        if (pool_.closed) revert Rewards_Closed(runId);

        // Interaction: the token
        received = token.pull(amount);

        // Check: something arrived, and it fits
        if (received == 0 || received > MAX_POOL - pool_.funded) revert Rewards_BadAmount(received);

        // Effect: a larger pool
        pool_.funded += uint120(received);
        emit Funded(runId, msg.sender, received);
    }

    function _settle(bytes32 runId, uint256 gain, uint256 span, Split memory split) private returns (uint256 credited) {
        Pool storage pool_ = _pools[runId];

        // Check: what is left may have been refunded once the pool is closed
        if (pool_.closed) revert Rewards_Closed(runId);
        uint256 before = pool_.credited;
        uint256 vested_ = _vested(pool_.funded, gain, span);
        if (vested_ <= before) return 0;
        uint256 available = vested_ - before;

        // Effect: every organization's account
        credited = _credit(runId, available, split);
        if (credited > available) revert Rewards_BadSplit(available, credited);
        if (credited == 0) return 0;

        // Effect: the pool owes as much more
        pool_.credited = uint120(before + credited);

        emit Credited(runId, vested_, credited);
    }

    /// @dev Two accounts at a time, where they share a slot.
    function _credit(bytes32 runId, uint256 available, Split memory split) private returns (uint256 credited) {
        mapping(uint256 pair => uint256) storage accrued = _accrued[runId];
        uint256 pair = type(uint256).max;
        uint256 word = 0;
        while (!split.isOver()) {
            (uint256 party, uint256 numerator) = split.read();
            uint256 amount = available * numerator / split.divisor;
            if (amount == 0) continue;
            if (party >> 1 != pair) {
                if (pair != type(uint256).max) accrued[pair] = word;
                pair = party >> 1;
                word = accrued[pair];
            }
            // No carry into the neighbor: an account never exceeds the pool.
            word += amount << _shift(party);
            credited += amount;
        }
        if (credited != 0) accrued[pair] = word;
    }

    /// @dev What the run has credited to the party and not paid yet.
    function _take(bytes32 runId, uint16 party) internal override returns (uint256 due) {
        Pool storage pool_ = _pools[runId];
        uint256 before = _claimed[runId][party];
        due = _accruedBy(runId, party) - before;
        if (due == 0) return 0;

        // Check: payable already
        if (pool_.atEnd && !pool_.closed) revert Rewards_PaidAtTheEnd(runId);
        _checkProbation(runId, pool_, party);

        // Effect: paid
        _claimed[runId][party] = before + due;
        pool_.claimed += uint120(due);
    }

    function _agreementOf(bytes32 runId) internal view override returns (bytes32) {
        return _pool(runId).agreement;
    }

    function _checkProbation(bytes32 runId, Pool storage pool_, uint16 party) private view {
        uint256 probation = pool_.probation;
        if (probation == 0) return;
        // Called for each run that is claimed for: how many is up to who pays the gas.
        // slither-disable-next-line calls-loop
        uint256 joinedAt = consortium.joinedAt(pool_.agreement, party);
        if (joinedAt > pool_.openedAt && block.timestamp < joinedAt + probation) {
            revert Rewards_OnProbation(runId, party, joinedAt + probation);
        }
    }

    function _pool(bytes32 runId) private view returns (Pool storage pool_) {
        pool_ = _pools[runId];
        if (pool_.sponsor == address(0)) revert Rewards_UnknownRun(runId);
    }

    function _accruedBy(bytes32 runId, uint256 party) private view returns (uint256) {
        return _accrued[runId][party >> 1] >> _shift(party) & ACCOUNT_BITS;
    }

    /// @dev Where the party's half of the shared slot begins.
    function _shift(uint256 party) private pure returns (uint256) {
        return (party & 1) << 7;
    }

    /// @dev The one place that divides the pool.
    function _vested(uint256 funded, uint256 gain, uint256 span) private pure returns (uint256) {
        return gain >= span ? funded : funded * gain / span;
    }
}
