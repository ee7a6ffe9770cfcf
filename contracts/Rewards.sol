// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {IRewards} from "./interfaces/IRewards.sol";
import {Messages} from "./libraries/Messages.sol";
import {Shares} from "./libraries/Shares.sol";
import {Wallets} from "./libraries/Wallets.sol";

/// @title Escrow, vesting, credit and claim (see IRewards)
/// @dev Made by the constructor of Training, which is the only one that can open, settle and close pools. Nobody, the
/// deployer included, can take tokens out but by a claim or a refund.
contract Rewards is IRewards, EIP712(Messages.DOMAIN_NAME, Messages.DOMAIN_VERSION), ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using Shares for bytes;

    // The highest bit of an accounts' slot: set when the run is created, so that the round that first pays an
    // organization costs no more than the later ones. An account, and so a pool, keeps 127 bits.
    uint256 private constant OPENED = 1 << 255;
    uint256 private constant MAX_POOL = type(uint128).max >> 1;

    struct Payment {
        uint128 claimed; // [wei]
        uint64 nonce;
    }

    /// @inheritdoc IRewards
    IERC20 public immutable token;
    /// @inheritdoc IRewards
    IConsortium public immutable consortium;
    /// @inheritdoc IRewards
    address public immutable training;

    mapping(bytes32 runId => Pool) private _pools;
    mapping(bytes32 runId => bytes32) private _agreements;
    // What two neighboring parties accrued shares a slot: half the writes when a round is paid.
    mapping(bytes32 runId => mapping(uint256 pair => uint256)) private _accrued;
    mapping(bytes32 runId => mapping(uint256 party => Payment)) private _payments;

    modifier onlyTraining() {
        if (msg.sender != training) revert Rewards_OnlyTraining(msg.sender);
        _;
    }

    constructor(IERC20 token_, IConsortium consortium_) {
        token = token_;
        consortium = consortium_;
        training = msg.sender;
    }

    /// @inheritdoc IRewards
    function open(bytes32 runId, bytes32 agreement, address sponsor) external onlyTraining {
        // Check: a refund will have somewhere to go
        _checkRecipient(sponsor);

        // Effect: an empty pool, and an empty account for every party
        _pools[runId].sponsor = sponsor;
        _agreements[runId] = agreement;
        uint256 pairs = (uint256(consortium.partyCount(agreement)) + 1) / 2;
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
        // Interaction: whoever saw the permit may have used it already; what counts is the allowance
        try IERC20Permit(address(token)).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        return _fund(runId, amount);
    }

    /// @inheritdoc IRewards
    function settle(bytes32 runId, uint256 gain, uint256 span, bytes calldata shares)
        external
        onlyTraining
        returns (uint256 credited)
    {
        Pool storage pool_ = _pools[runId];
        uint256 before = pool_.credited;
        uint256 vested_ = _vested(pool_.funded, gain, span);
        // Gain and funding never shrink, nor does what is vested.
        uint256 available = vested_ - before;
        if (available == 0) return 0;

        // Effect: every organization's account, two at a time
        mapping(uint256 pair => uint256) storage accrued = _accrued[runId];
        uint256 pair = type(uint256).max;
        uint256 word = 0;
        uint256 count = shares.count();
        for (uint256 i = 0; i < count; ++i) {
            (uint256 party, uint256 bips) = shares.read(i);
            uint256 amount = available * bips / Shares.ALL_BIPS;
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
        if (credited == 0) return 0;
        accrued[pair] = word;

        // Effect: the pool owes as much more
        pool_.credited = uint128(before + credited);

        emit Credited(runId, vested_, credited);
    }

    /// @inheritdoc IRewards
    function close(bytes32 runId) external onlyTraining {
        _pools[runId].closed = true;
        emit PoolClosed(runId);
    }

    /// @inheritdoc IRewards
    function claim(Claim calldata claim_, bytes calldata walletSignature)
        external
        nonReentrant
        returns (uint256 amount)
    {
        // Check: in time, not an older claim once more, and signed by the party
        if (block.timestamp > claim_.deadline) revert Rewards_DeadlinePassed(claim_.deadline);
        uint256 nonce = _payments[claim_.runId][claim_.party].nonce;
        if (claim_.nonce != nonce) revert Rewards_WrongNonce(nonce, claim_.nonce);
        bytes32 digest = _hashTypedDataV4(Messages.hash(claim_));
        if (!Wallets.signed(_wallet(claim_.runId, claim_.party), digest, walletSignature)) {
            revert Rewards_NotTheParty(claim_.party, Wallets.signer(digest, walletSignature));
        }

        return _pay(claim_.runId, claim_.party, claim_.recipient);
    }

    /// @inheritdoc IRewards
    function claimTo(bytes32 runId, uint16 party, address recipient) external nonReentrant returns (uint256 amount) {
        // Check: the party itself
        if (msg.sender != _wallet(runId, party)) revert Rewards_NotTheParty(party, msg.sender);

        return _pay(runId, party, recipient);
    }

    /// @inheritdoc IRewards
    function refund(bytes32 runId) external nonReentrant returns (uint256 amount) {
        Pool storage pool_ = _pool(runId);

        // Check: nothing will vest any more, and something is left
        if (!pool_.closed) revert Rewards_NotClosed(runId);
        amount = pool_.funded - pool_.credited - pool_.refunded;
        if (amount == 0) revert Rewards_NothingToRefund(runId);

        // Effect: returned
        pool_.refunded += uint128(amount);
        emit Refunded(runId, pool_.sponsor, amount);

        // Interaction: the token
        token.safeTransfer(pool_.sponsor, amount);
    }

    /// @inheritdoc IRewards
    function pool(bytes32 runId) external view returns (Pool memory) {
        return _pool(runId);
    }

    /// @inheritdoc IRewards
    function account(bytes32 runId, uint16 party) external view returns (Account memory) {
        return Account(_accruedBy(runId, party), _payments[runId][party].claimed);
    }

    /// @inheritdoc IRewards
    function claimNonce(bytes32 runId, uint16 party) external view returns (uint256) {
        return _payments[runId][party].nonce;
    }

    /// @inheritdoc IRewards
    function vested(bytes32 runId, uint256 gain, uint256 span) external view returns (uint256 amount) {
        return _vested(_pool(runId).funded, gain, span);
    }

    function _fund(bytes32 runId, uint256 amount) private returns (uint256 received) {
        Pool storage pool_ = _pool(runId);

        // Check: the pool still pays
        if (pool_.closed) revert Rewards_Closed(runId);

        // Interaction: the token, which may move less than it was asked to
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        received = token.balanceOf(address(this)) - before;

        // Check: something arrived, and it fits
        if (received == 0 || received > MAX_POOL - pool_.funded) revert Rewards_BadAmount(received);

        // Effect: a larger pool
        pool_.funded += uint128(received);
        emit Funded(runId, msg.sender, received);
    }

    function _pay(bytes32 runId, uint16 party, address recipient) private returns (uint256 amount) {
        Payment storage payment = _payments[runId][party];

        // Check: something is due, to somebody
        _checkRecipient(recipient);
        amount = _accruedBy(runId, party) - payment.claimed;
        if (amount == 0) revert Rewards_NothingToClaim(runId, party);

        // Effect: paid; claims signed before are void
        payment.claimed += uint128(amount);
        payment.nonce += 1;
        _pools[runId].claimed += uint128(amount);
        emit Claimed(runId, party, recipient, amount);

        // Interaction: the token
        token.safeTransfer(recipient, amount);
    }

    function _checkRecipient(address recipient) private view {
        if (recipient == address(0) || recipient == address(this) || recipient == address(token)) {
            revert Rewards_BadRecipient(recipient);
        }
    }

    function _pool(bytes32 runId) private view returns (Pool storage pool_) {
        pool_ = _pools[runId];
        if (pool_.sponsor == address(0)) revert Rewards_UnknownRun(runId);
    }

    function _wallet(bytes32 runId, uint16 party) private view returns (address) {
        _pool(runId);
        return consortium.wallet(_agreements[runId], party);
    }

    function _accruedBy(bytes32 runId, uint256 party) private view returns (uint128) {
        return uint128(_accrued[runId][party >> 1] >> _shift(party) & MAX_POOL);
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
