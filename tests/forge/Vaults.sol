// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Clerk} from "../../contracts/Clerk.sol";
import {Training} from "../../contracts/Training.sol";
import {Presence} from "../../contracts/Presence.sol";
import {Royalties} from "../../contracts/Royalties.sol";
import {Stakes} from "../../contracts/Stakes.sol";
import {SwarmToken} from "../../contracts/SwarmToken.sol";
import {IClaims} from "../../contracts/interfaces/IClaims.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IPresence} from "../../contracts/interfaces/IPresence.sol";
import {IRoyalties} from "../../contracts/interfaces/IRoyalties.sol";
import {IStakes} from "../../contracts/interfaces/IStakes.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Messages} from "../../contracts/libraries/Messages.sol";
import {Swarm} from "./Swarm.sol";

interface CoinVm {
    function deal(address account, uint256 balance) external;
    function txGasPrice(uint256 price) external;
}

/// @dev Refuses to send to some.
contract BlockingToken is ERC20("Blocking", "BLOCK") {
    mapping(address => bool) public blocked;

    error Blocked(address to);

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function block_(address to, bool blocked_) external {
        blocked[to] = blocked_;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (blocked[to]) revert Blocked(to);
        super._update(from, to, value);
    }
}

/// @dev Everything that holds money besides Rewards, and the messages that move it.
abstract contract Vaults is Swarm {
    CoinVm internal constant coinVm = CoinVm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint128 internal constant MIN_STAKE = 100e18;
    address internal constant FINDER = address(0xF1D);
    address internal constant BUYER = address(0xB4E);

    Stakes internal stakes;
    Presence internal presence;
    Royalties internal royalties;

    function setUp() public virtual override {
        super.setUp();
        deployVaults();
    }

    function deployVaults() internal {
        stakes = new Stakes(consortium, token);
        presence = new Presence(consortium);
        training = new Training(consortium, token, new Clerk(consortium, stakes, presence));
        rewards = training.rewards();
        royalties = new Royalties(training);
    }

    function staking(uint256 parties) internal pure returns (IConsortium.Agreement memory agreement) {
        agreement = draft(parties);
        agreement.bylaws.minStake = MIN_STAKE;
        agreement.terms.licensePrice = 10e18;
    }

    function give(address to, uint256 amount) internal {
        vm.prank(TREASURY);
        SwarmToken(address(token)).mint(to, amount);
    }

    /// @dev Tokens of `from`'s, allowed to `spender`.
    function allow(address from, address spender, uint256 amount) internal {
        give(from, amount);
        vm.prank(from);
        token.approve(spender, amount);
    }

    function permit(uint256 key, address spender, uint256 amount) internal returns (uint8 v, bytes32 r, bytes32 s) {
        address owner = vm.addr(key);
        give(owner, amount);
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                owner,
                spender,
                amount,
                SwarmToken(address(token)).nonces(owner),
                START + 1
            )
        );
        return vm.sign(key, digestOf(address(token), structHash));
    }

    // Stakes

    function deposit(bytes32 agreement, uint16 party, uint256 amount) internal {
        allow(vm.addr(WALLET + party), address(stakes), amount);
        vm.prank(vm.addr(WALLET + party));
        stakes.deposit(agreement, party, amount);
    }

    function unlocking(bytes32 agreement, uint16 party, uint128 amount, address recipient)
        internal
        view
        returns (IStakes.Unlocking memory)
    {
        return IStakes.Unlocking(agreement, party, amount, recipient, stakes.stake(agreement, party).nonce, soon());
    }

    function unlock(IStakes.Unlocking memory wanted, uint256 walletKey) internal {
        bytes memory signature = sign(walletKey, digestOf(address(stakes), this.hashUnlocking(wanted)));
        stakes.unlock(wanted, signature);
    }

    function update(bytes32 runId, uint16 registration, string memory file)
        internal
        view
        returns (IStakes.Update memory)
    {
        ITraining.Run memory run = training.run(runId);
        return IStakes.Update(runId, run.round, run.prev, registration, keccak256(bytes(file)), 1000, 64);
    }

    function roster(bytes32 runId, uint32 term, uint256 members, string memory root)
        internal
        view
        returns (IStakes.Roster memory)
    {
        ITraining.Run memory run = training.run(runId);
        return IStakes.Roster(runId, run.round, run.prev, term, first(members), keccak256(bytes(root)));
    }

    function node(bytes32 runId, uint16 registration, bytes32 structHash) internal view returns (bytes memory) {
        return sign(nodeKey[training.agreementOf(runId)][registration], digestOf(address(training), structHash));
    }

    function slash(IStakes.Update memory a, IStakes.Update memory b, uint16 registration) internal returns (uint256) {
        bytes memory signatureA = node(a.runId, registration, this.hashUpdate(a));
        bytes memory signatureB = node(b.runId, registration, this.hashUpdate(b));
        vm.prank(FINDER);
        return stakes.slashUpdates(address(training), registration, a, b, signatureA, signatureB);
    }

    // Presence

    function suspicion(bytes32 agreement, uint16 party, uint16 by) internal view returns (IPresence.Suspicion memory) {
        uint32 number = presence.suspicion(agreement, party).number + 1;
        return IPresence.Suspicion(agreement, party, by, number, soon());
    }

    function suspect(IPresence.Suspicion memory raised, uint256 value) internal {
        bytes memory signature =
            sign(nodeKey[raised.agreement][raised.by], digestOf(address(presence), this.hashSuspicion(raised)));
        presence.suspect{value: value}(raised, signature);
    }

    function answer(bytes32 agreement, uint16 party, uint16 registration)
        internal
        view
        returns (IPresence.Alive memory)
    {
        return IPresence.Alive(agreement, registration, presence.suspicion(agreement, party).number);
    }

    function alive(IPresence.Alive memory said, uint256 key, bool byWallet) internal {
        presence.alive(said, byWallet, sign(key, digestOf(address(presence), this.hashAlive(said))));
    }

    // Claims

    function delegation(IClaims payer, bytes32 agreement, uint16 party, address claimer, address recipient)
        internal
        view
        returns (IClaims.Delegation memory)
    {
        uint256 nonce = payer.claimNonce(agreement, party);
        return IClaims.Delegation(agreement, party, claimer, recipient, nonce, soon());
    }

    function delegate(IClaims payer, IClaims.Delegation memory wanted, uint256 walletKey) internal {
        payer.delegate(wanted, sign(walletKey, digestOf(address(payer), this.hashDelegation(wanted))));
    }

    function claimOf(IClaims payer, bytes32 agreement, bytes32[] memory runIds, uint16 party, address recipient)
        internal
        view
        returns (IClaims.Claim memory)
    {
        return IClaims.Claim(runIds, party, recipient, payer.claimNonce(agreement, party), soon());
    }

    function claim(IClaims payer, IClaims.Claim memory wanted, uint256 walletKey) internal returns (uint256) {
        return payer.claim(wanted, sign(walletKey, digestOf(address(payer), this.hashClaim(wanted))));
    }

    // Royalties

    function pricing(bytes32 runId, uint128 price) internal view returns (IRoyalties.Pricing memory) {
        return IRoyalties.Pricing(runId, price, royalties.sale(runId).votes, soon());
    }

    /// @dev With the votes of the parties 0 to `voters` - 1.
    function vote(IRoyalties.Pricing memory wanted, uint256 voters) internal view returns (bytes[] memory all) {
        all = new bytes[](voters);
        bytes32 digest = digestOf(address(royalties), this.hashPricing(wanted));
        for (uint256 p = 0; p < voters; ++p) {
            all[p] = sign(WALLET + p, digest);
        }
    }

    // A run from its creation to its end, with these basis points credited in its only paid round

    function finished(bytes32 agreement, string memory name, uint256 funds, bytes memory row)
        internal
        returns (bytes32 runId)
    {
        runId = createRun(request(agreement, name), WALLET);
        if (funds != 0) fund(runId, funds);
        uint256 parties = consortium.partyCount(agreement);
        sealRound(runId, CEILING, "", parties);
        sealRound(runId, TARGET, row, parties);
    }

    function pair(bytes32 a, bytes32 b) internal pure returns (bytes32[] memory runIds) {
        runIds = new bytes32[](2);
        (runIds[0], runIds[1]) = (a, b);
    }

    // Hashes

    function hashUnlocking(IStakes.Unlocking calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashUpdate(IStakes.Update calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashRoster(IStakes.Roster calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashAttestation(ITraining.Attestation calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashSuspicion(IPresence.Suspicion calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashAlive(IPresence.Alive calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashDelegation(IClaims.Delegation calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashPricing(IRoyalties.Pricing calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }
}

/// @dev Stands where Consortium stands, for one agreement of which anything may be changed at any time.
contract Changeable {
    uint16 public constant PARTIES = 3;
    mapping(uint16 party => address) private _wallets;
    IConsortium.Bylaws private _bylaws;
    uint64 private _active;

    function setWallet(uint16 party, address wallet_) external {
        _wallets[party] = wallet_;
    }

    function setBylaws(IConsortium.Bylaws calldata bylaws_) external {
        _bylaws = bylaws_;
    }

    function setActive(uint64 active) external {
        _active = active;
    }

    function wallet(bytes32, uint16 party) external view returns (address) {
        return _wallets[party];
    }

    function bylaws(bytes32) external view returns (IConsortium.Bylaws memory) {
        return _bylaws;
    }

    function latestSnapshot(bytes32) external view returns (IConsortium.Snapshot memory) {
        return IConsortium.Snapshot(1, _active, 0);
    }

    function partyCount(bytes32) external pure returns (uint16) {
        return PARTIES;
    }

    function unlockDelay(bytes32) external pure returns (uint64) {
        return 1 days;
    }
}
