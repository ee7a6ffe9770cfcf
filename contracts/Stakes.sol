// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {IStakes} from "./interfaces/IStakes.sol";
import {ITraining} from "./interfaces/ITraining.sol";
import {Bits} from "./libraries/Bits.sol";
import {Messages} from "./libraries/Messages.sol";
import {Tokens} from "./libraries/Tokens.sol";
import {Wallets} from "./libraries/Wallets.sol";

/// @title Stakes and penalties (see IStakes)
/// @dev Nobody owns this contract. A stake leaves it by its party's notice, or by a proof that convinces anybody.
contract Stakes is IStakes, EIP712(Messages.DOMAIN_NAME, Messages.DOMAIN_VERSION), ReentrancyGuardTransient {
    using Bits for uint64;
    using SafeERC20 for IERC20;
    using Tokens for IERC20;

    uint256 private constant ALL_BIPS = 10_000;

    /// @dev What is contradicted, and by whom.
    struct Charge {
        Kind kind;
        bytes32 runId;
        uint32 round;
        bytes32 prev;
        uint32 term;
        uint16 registration;
    }

    /// @inheritdoc IStakes
    IERC20 public immutable token;
    /// @inheritdoc IStakes
    IConsortium public immutable consortium;
    /// @inheritdoc IStakes
    mapping(bytes32 agreement => uint64) public staked;
    /// @inheritdoc IStakes
    mapping(address recipient => uint256) public owed;

    mapping(bytes32 agreement => mapping(uint256 party => Stake)) private _stakes;
    mapping(bytes32 contradiction => bool) private _proven;

    constructor(IConsortium consortium_, IERC20 token_) {
        consortium = consortium_;
        token = token_;
    }

    /// @inheritdoc IStakes
    function deposit(bytes32 agreement, uint16 party, uint256 amount) external nonReentrant returns (uint256 received) {
        return _deposit(agreement, party, amount);
    }

    /// @inheritdoc IStakes
    /// @dev The books follow what the token really moved, so they are written after it was called, under the guard.
    // slither-disable-next-line reentrancy-benign
    function depositWithPermit(
        bytes32 agreement,
        uint16 party,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant returns (uint256 received) {
        token.permit(amount, deadline, v, r, s);
        return _deposit(agreement, party, amount);
    }

    /// @inheritdoc IStakes
    function unlock(Unlocking calldata unlocking, bytes calldata walletSignature) external {
        (bytes32 agreement, uint16 party) = (unlocking.agreement, unlocking.party);
        Stake memory stake_ = _stakes[agreement][party];

        // Check: wanted by the party, in time, and not an older notice once more
        if (block.timestamp > unlocking.deadline) revert Stakes_DeadlinePassed(unlocking.deadline);
        if (unlocking.nonce != stake_.nonce) revert Stakes_WrongNonce(stake_.nonce, unlocking.nonce);
        bytes32 digest = _hashTypedDataV4(Messages.hash(unlocking));
        if (!Wallets.signed(consortium.wallet(agreement, party), digest, walletSignature)) {
            revert Stakes_NotTheParty(party, Wallets.signer(digest, walletSignature));
        }

        // Check: it is there, can be spared, and goes to somebody
        uint128 amount = unlocking.amount;
        if (amount > stake_.locked) revert Stakes_NotThatMuch(stake_.locked, amount);
        uint128 left = stake_.locked - amount;
        uint128 minStake = consortium.bylaws(agreement).minStake;
        if (left < minStake && consortium.latestSnapshot(agreement).active.has(party)) {
            revert Stakes_Needed(minStake, left);
        }
        if (token.isLost(unlocking.recipient)) revert Stakes_BadRecipient(unlocking.recipient);

        // Effect: under notice, all of it from now on
        stake_.locked = left;
        stake_.leaving += amount;
        stake_.recipient = unlocking.recipient;
        stake_.leavesAt = uint64(block.timestamp + consortium.unlockDelay(agreement));
        stake_.nonce += 1;
        _stakes[agreement][party] = stake_;
        _count(agreement, party, left, minStake);

        emit Unlocked(agreement, party, stake_.recipient, amount, stake_.leavesAt);
    }

    /// @inheritdoc IStakes
    function withdraw(bytes32 agreement, uint16 party) external nonReentrant returns (uint256 amount) {
        Stake storage stake_ = _stakes[agreement][party];

        // Check: something is leaving, and had its time
        amount = stake_.leaving;
        if (amount == 0) revert Stakes_NothingToWithdraw(agreement, party);
        if (block.timestamp <= stake_.leavesAt) revert Stakes_NotYet(stake_.leavesAt);

        // Effect: gone
        address recipient = stake_.recipient;
        stake_.leaving = 0;
        emit Withdrawn(agreement, party, recipient, amount);

        // Interaction: the token
        token.safeTransfer(recipient, amount);
    }

    /// @inheritdoc IStakes
    function slashUpdates(
        address training,
        uint16 registration,
        Update calldata a,
        Update calldata b,
        bytes calldata signatureA,
        bytes calldata signatureB
    ) external returns (uint256 penalty) {
        if (a.runId != b.runId || a.round != b.round || a.prev != b.prev) {
            revert Stakes_NoContradiction();
        }
        // An update that names another node is refused by everybody, and so does no harm.
        if (a.registration != registration || b.registration != registration) revert Stakes_NoContradiction();
        Charge memory charge = Charge(Kind.Update, a.runId, a.round, a.prev, 0, registration);
        return _slash(training, charge, Messages.hash(a), Messages.hash(b), signatureA, signatureB);
    }

    /// @inheritdoc IStakes
    function slashRosters(
        address training,
        uint16 registration,
        Roster calldata a,
        Roster calldata b,
        bytes calldata signatureA,
        bytes calldata signatureB
    ) external returns (uint256 penalty) {
        if (a.runId != b.runId || a.round != b.round || a.prev != b.prev || a.term != b.term) {
            revert Stakes_NoContradiction();
        }
        Charge memory charge = Charge(Kind.Roster, a.runId, a.round, a.prev, a.term, registration);
        return _slash(training, charge, Messages.hash(a), Messages.hash(b), signatureA, signatureB);
    }

    /// @inheritdoc IStakes
    function slashAttestations(
        address training,
        uint16 registration,
        ITraining.Attestation calldata a,
        ITraining.Attestation calldata b,
        bytes calldata signatureA,
        bytes calldata signatureB
    ) external returns (uint256 penalty) {
        if (a.runId != b.runId || a.round != b.round || a.prev != b.prev || a.term != b.term) {
            revert Stakes_NoContradiction();
        }
        Charge memory charge = Charge(Kind.Attestation, a.runId, a.round, a.prev, a.term, registration);
        return _slash(training, charge, Messages.hash(a), Messages.hash(b), signatureA, signatureB);
    }

    /// @inheritdoc IStakes
    function collect(address recipient) external nonReentrant returns (uint256 amount) {
        // Check: something is owed
        amount = owed[recipient];
        if (amount == 0) revert Stakes_NothingOwed(recipient);

        // Effect: paid
        owed[recipient] = 0;
        emit Collected(recipient, amount);

        // Interaction: the token
        token.safeTransfer(recipient, amount);
    }

    /// @inheritdoc IStakes
    function recount(bytes32 agreement) external returns (uint64 counted) {
        uint256 minStake = consortium.bylaws(agreement).minStake;
        uint256 parties = consortium.partyCount(agreement);
        for (uint256 party = 0; party < parties; ++party) {
            if (_stakes[agreement][party].locked >= minStake) counted = counted.with(party);
        }
        staked[agreement] = counted;
        emit Recounted(agreement, counted);
    }

    /// @inheritdoc IStakes
    function stake(bytes32 agreement, uint16 party) external view returns (Stake memory) {
        return _stakes[agreement][party];
    }

    /// @inheritdoc IStakes
    function proven(Kind kind, bytes32 runId, uint32 round, bytes32 prev, uint32 term, uint16 registration)
        external
        view
        returns (bool)
    {
        return _proven[_id(Charge(kind, runId, round, prev, term, registration))];
    }

    function _deposit(bytes32 agreement, uint16 party, uint256 amount) private returns (uint256 received) {
        // Check: a party, under an agreement that says what becomes of lost stakes
        IConsortium.Bylaws memory bylaws = consortium.bylaws(agreement);
        if (bylaws.penaltyRecipient == address(0)) revert Stakes_NoPenaltyRecipient(agreement);
        if (party >= consortium.partyCount(agreement)) revert IConsortium.Consortium_UnknownParty(agreement, party);

        // Interaction: the token
        received = token.pull(amount);

        // Check: something arrived, and it fits
        Stake storage stake_ = _stakes[agreement][party];
        (uint256 locked, uint256 leaving) = (stake_.locked, stake_.leaving);
        if (received == 0 || received > type(uint128).max - locked - leaving) revert Stakes_BadAmount(received);

        // Effect: a larger stake
        locked += received;
        stake_.locked = uint128(locked);
        _count(agreement, party, locked, bylaws.minStake);

        emit Deposited(agreement, party, msg.sender, received);
    }

    function _slash(
        address training,
        Charge memory charge,
        bytes32 hashA,
        bytes32 hashB,
        bytes calldata signatureA,
        bytes calldata signatureB
    ) private nonReentrant returns (uint256 penalty) {
        // Check: two messages, and not proven before
        if (hashA == hashB) revert Stakes_SameMessage(hashA);
        bytes32 id = _id(charge);
        if (_proven[id]) revert Stakes_AlreadyProven(id);

        // Check: both signed by the node, in the domain of this very contract
        bytes32 agreement = ITraining(training).agreementOf(charge.runId);
        // Since when and until when does not matter: a node answers for its signatures for good.
        // slither-disable-next-line unused-return
        (address key, uint16 party,,) = consortium.member(agreement, charge.registration);
        _checkSignature(training, charge.registration, key, hashA, signatureA);
        _checkSignature(training, charge.registration, key, hashB, signatureB);

        // Effect: proven, once
        _proven[id] = true;
        return _penalize(agreement, party, charge);
    }

    /// @dev The one place that divides a stake. Every part is rounded down, and stays with whom it is taken from.
    function _penalize(bytes32 agreement, uint16 party, Charge memory charge) private returns (uint256 penalty) {
        Stake storage stake_ = _stakes[agreement][party];
        IConsortium.Bylaws memory bylaws = consortium.bylaws(agreement);
        (uint256 locked, uint256 leaving) = (stake_.locked, stake_.leaving);
        uint256 ofLocked = locked * bylaws.penaltyBips / ALL_BIPS;
        uint256 ofLeaving = leaving * bylaws.penaltyBips / ALL_BIPS;
        penalty = ofLocked + ofLeaving;
        uint256 reward = penalty * bylaws.finderBips / ALL_BIPS;

        // Check: something is lost, and somebody is to have it
        if (penalty == 0 || bylaws.penaltyRecipient == address(0)) revert Stakes_NothingToSlash(agreement, party);

        // Effect: from the stake to those who may collect it
        (stake_.locked, stake_.leaving) = (uint128(locked - ofLocked), uint128(leaving - ofLeaving));
        owed[msg.sender] += reward;
        owed[bylaws.penaltyRecipient] += penalty - reward;
        _count(agreement, party, locked - ofLocked, bylaws.minStake);

        _emitSlashed(agreement, party, charge, penalty, reward);
    }

    function _emitSlashed(bytes32 agreement, uint16 party, Charge memory charge, uint256 penalty, uint256 reward)
        private
    {
        emit Slashed(
            agreement,
            party,
            charge.runId,
            charge.kind,
            charge.round,
            charge.prev,
            charge.term,
            charge.registration,
            msg.sender,
            penalty,
            reward
        );
    }

    /// @dev Whether the party has the agreement's minimum, as one bit, so that opening a round reads one slot.
    function _count(bytes32 agreement, uint16 party, uint256 locked, uint256 minStake) private {
        if (minStake == 0) return;
        uint64 before = staked[agreement];
        uint64 counted = locked >= minStake ? before.with(party) : before.without(party);
        if (counted != before) staked[agreement] = counted;
    }

    function _id(Charge memory charge) private pure returns (bytes32) {
        return keccak256(abi.encode(charge));
    }

    function _checkSignature(
        address training,
        uint16 registration,
        address key,
        bytes32 structHash,
        bytes calldata signature
    ) private view {
        bytes32 digest = MessageHashUtils.toTypedDataHash(Messages.domain(training), structHash);
        address recovered = Wallets.signer(digest, signature);
        if (recovered == address(0) || recovered != key) revert Stakes_WrongSignature(registration, key, recovered);
    }
}
