// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IClaims} from "./interfaces/IClaims.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {Messages} from "./libraries/Messages.sol";
import {Tokens} from "./libraries/Tokens.sol";
import {Wallets} from "./libraries/Wallets.sol";

/// @title Who may take what is due to an organization, and how (see IClaims)
/// @dev What is due, and when it is payable, is said by the contract that inherits this.
abstract contract Claims is IClaims, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using Tokens for IERC20;

    struct Delegate {
        address claimer;
        address recipient;
    }

    /// @inheritdoc IClaims
    IERC20 public immutable token;
    /// @inheritdoc IClaims
    IConsortium public immutable consortium;

    mapping(bytes32 agreement => mapping(uint256 party => uint256)) private _nonces;
    // By the wallet that delegated: one that was replaced, perhaps because it was stolen, leaves no claimer behind.
    mapping(bytes32 agreement => mapping(uint256 party => mapping(address wallet => Delegate))) private _delegates;

    constructor(IERC20 token_, IConsortium consortium_) EIP712(Messages.DOMAIN_NAME, Messages.DOMAIN_VERSION) {
        token = token_;
        consortium = consortium_;
    }

    /// @inheritdoc IClaims
    function claim(Claim calldata claim_, bytes calldata walletSignature)
        external
        nonReentrant
        returns (uint256 amount)
    {
        // Check: wanted by the party, in time, and not an older claim once more
        bytes32 agreement = _agreementOf(claim_.runIds);
        _use(agreement, claim_.party, claim_.nonce, claim_.deadline, Messages.hash(claim_), walletSignature);

        return _pay(agreement, claim_.runIds, claim_.party, claim_.recipient);
    }

    /// @inheritdoc IClaims
    function claimTo(bytes32[] calldata runIds, uint16 party, address recipient)
        external
        nonReentrant
        returns (uint256 amount)
    {
        // Check: the party itself
        bytes32 agreement = _agreementOf(runIds);
        if (msg.sender != consortium.wallet(agreement, party)) revert Claims_NotTheParty(party, msg.sender);

        // Effect: what was signed before is void
        _nonces[agreement][party] += 1;

        return _pay(agreement, runIds, party, recipient);
    }

    /// @inheritdoc IClaims
    function claimFor(bytes32[] calldata runIds, uint16 party) external nonReentrant returns (uint256 amount) {
        // Check: whom the wallet has delegated to; nobody is address zero
        bytes32 agreement = _agreementOf(runIds);
        (address claimer, address recipient) = delegateOf(agreement, party);
        if (msg.sender != claimer) revert Claims_NotTheClaimer(party, msg.sender);

        return _pay(agreement, runIds, party, recipient);
    }

    /// @inheritdoc IClaims
    function delegate(Delegation calldata delegation, bytes calldata walletSignature) external {
        (bytes32 agreement, uint16 party) = (delegation.agreement, delegation.party);

        // Check: a recipient that can receive; wanted by the party, in time, and not an older message once more
        if (delegation.claimer != address(0)) _checkRecipient(delegation.recipient);
        address wallet =
            _use(agreement, party, delegation.nonce, delegation.deadline, Messages.hash(delegation), walletSignature);

        // Effect: the claimer of this wallet
        _delegates[agreement][party][wallet] = Delegate(delegation.claimer, delegation.recipient);
        emit Delegated(agreement, party, delegation.claimer, delegation.recipient);
    }

    /// @inheritdoc IClaims
    function claimNonce(bytes32 agreement, uint16 party) external view returns (uint256) {
        return _nonces[agreement][party];
    }

    /// @inheritdoc IClaims
    function delegateOf(bytes32 agreement, uint16 party) public view returns (address claimer, address recipient) {
        Delegate storage delegate_ = _delegates[agreement][party][consortium.wallet(agreement, party)];
        return (delegate_.claimer, delegate_.recipient);
    }

    /// @dev The agreement of a known run.
    function _agreementOf(bytes32 runId) internal view virtual returns (bytes32);

    /// @dev Books what the run owes to the party as paid, and says how much that is. Reverts when something is due but
    /// not payable yet.
    function _take(bytes32 runId, uint16 party) internal virtual returns (uint256 due);

    function _checkRecipient(address recipient) internal view {
        if (token.isLost(recipient)) revert Claims_BadRecipient(recipient);
    }

    /// @dev Counts up the nonce under a message that the party's present wallet has signed.
    function _use(
        bytes32 agreement,
        uint16 party,
        uint256 nonce,
        uint64 deadline,
        bytes32 structHash,
        bytes calldata signature
    ) private returns (address wallet) {
        if (block.timestamp > deadline) revert Claims_DeadlinePassed(deadline);
        uint256 expected = _nonces[agreement][party];
        if (nonce != expected) revert Claims_WrongNonce(expected, nonce);
        bytes32 digest = _hashTypedDataV4(structHash);
        wallet = consortium.wallet(agreement, party);
        if (!Wallets.signed(wallet, digest, signature)) {
            revert Claims_NotTheParty(party, Wallets.signer(digest, signature));
        }

        _nonces[agreement][party] = expected + 1;
    }

    function _pay(bytes32 agreement, bytes32[] calldata runIds, uint16 party, address recipient)
        private
        returns (uint256 amount)
    {
        // Check: it goes to somebody
        _checkRecipient(recipient);

        // Effect: paid by every run that owes something
        for (uint256 i = 0; i < runIds.length; ++i) {
            bytes32 runId = runIds[i];
            if (_agreementOf(runId) != agreement) revert Claims_OtherAgreement(runId, agreement);
            uint256 due = _take(runId, party);
            if (due == 0) continue;
            amount += due;
            emit Claimed(runId, party, recipient, due);
        }
        if (amount == 0) revert Claims_NothingToClaim(agreement, party);

        // Interaction: the token
        token.safeTransfer(recipient, amount);
    }

    function _agreementOf(bytes32[] calldata runIds) private view returns (bytes32) {
        if (runIds.length == 0) revert Claims_NoRuns();
        return _agreementOf(runIds[0]);
    }
}
