// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Clerk} from "../../contracts/Clerk.sol";
import {Consortium} from "../../contracts/Consortium.sol";
import {Roles} from "../../contracts/Roles.sol";
import {SwarmToken} from "../../contracts/SwarmToken.sol";
import {Training} from "../../contracts/Training.sol";
import {IClaims} from "../../contracts/interfaces/IClaims.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {IStakes} from "../../contracts/interfaces/IStakes.sol";
import {IPresence} from "../../contracts/interfaces/IPresence.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Bits} from "../../contracts/libraries/Bits.sol";
import {Messages} from "../../contracts/libraries/Messages.sol";
import {Neighbors} from "./Neighbors.sol";
import {Vm} from "./Vm.sol";

/// @dev The actors of every test: a treasury that mints, a sponsor who funds, organizations with wallets, and their
/// nodes with keys. Party p has wallet key WALLET + p; the n-th node enrolled in a test has key NODE + n.
abstract contract Swarm {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint256 internal constant START = 1_800_000_000;
    uint256 internal constant WALLET = 0xA0000;
    uint256 internal constant NODE = 0xB0000;
    uint64 internal constant CEILING = 0.7e9;
    uint64 internal constant TARGET = 0.1e9;
    uint128 internal constant FUNDS = 1000e18;
    address internal constant TREASURY = address(0x7EA5);
    address internal constant SPONSOR = address(0x5904);
    address internal constant CHARITY = address(0xC4A1);

    IERC20 internal token;
    Consortium internal consortium;
    Neighbors internal neighbors;
    Training internal training;
    IRewards internal rewards;

    using Bits for uint64;

    uint256 private _nodes;
    mapping(bytes32 agreement => mapping(uint256 registration => uint256)) internal nodeKey;
    mapping(bytes32 agreement => IConsortium.Terms) internal termsOf;

    error Different(uint256 left, uint256 right);
    error DifferentBytes(bytes32 left, bytes32 right);
    error DifferentAddress(address left, address right);
    error DifferentText(string left, string right);
    error NotSo();

    function setUp() public virtual {
        vm.warp(START);
        token = new SwarmToken("Swarm Reward", "SWARM", 1e9 ether, address(new Roles(TREASURY)));
        deploy();
    }

    function deploy() internal {
        consortium = new Consortium();
        neighbors = new Neighbors();
        training = new Training(
            consortium, token, new Clerk(consortium, IStakes(address(neighbors)), IPresence(address(neighbors)))
        );
        rewards = training.rewards();
    }

    // Agreements

    function terms() internal pure returns (IConsortium.Terms memory) {
        return IConsortium.Terms({
            initialRoot: keccak256("initial"),
            schemaHash: keccak256("schema"),
            validationRoot: keccak256("validation"),
            sponsor: SPONSOR,
            budget: FUNDS,
            licensePrice: 0,
            lossCeiling: CEILING,
            targetLoss: TARGET,
            targetMetric: 0,
            minSamples: 64,
            maxRounds: 5,
            patience: 0,
            syncFrequency: 8,
            stallTime: 600,
            quorumGrace: 2000,
            leaderTimeout: 30_000,
            mergeParameter: 0,
            probation: 0,
            strikeRounds: 0,
            quarantineTime: 0,
            minPeers: 0,
            strikes: 0,
            mergeRule: 0,
            topology: 0,
            metering: 2,
            stopping: 0,
            budgetRule: 0,
            payout: 0
        });
    }

    function bylaws() internal pure returns (IConsortium.Bylaws memory) {
        return IConsortium.Bylaws({
            penaltyRecipient: CHARITY,
            minStake: 0,
            disputeTime: 7 days,
            walletDelay: 7 days,
            answerTime: 1 hours,
            votes: 0,
            penaltyBips: 5000,
            finderBips: 1000,
            maxNodes: 32
        });
    }

    function draft(uint256 parties) internal pure returns (IConsortium.Agreement memory agreement) {
        agreement.document = keccak256("document");
        agreement.purpose = "tell benign from malignant";
        agreement.trustDomain = "swarm.example";
        agreement.notBefore = uint64(START - 1 days);
        agreement.notAfter = uint64(START + 365 days);
        agreement.version = 1;
        agreement.bylaws = bylaws();
        agreement.terms = terms();
        agreement.parties = new IConsortium.Party[](parties);
        for (uint256 p = 0; p < parties; ++p) {
            agreement.parties[p] = IConsortium.Party(organization(p), vm.addr(WALLET + p), 1);
        }
    }

    function organization(uint256 party) internal pure returns (string memory) {
        return string.concat("hospital-", vm.toString(party));
    }

    function signatures(IConsortium.Agreement memory agreement) internal view returns (bytes[] memory all) {
        all = new bytes[](agreement.parties.length);
        bytes32 digest = digestOf(address(consortium), this.hashAgreement(agreement));
        for (uint256 p = 0; p < all.length; ++p) {
            all[p] = sign(WALLET + p, digest);
        }
    }

    function activate(IConsortium.Agreement memory agreement) internal returns (bytes32 id) {
        id = consortium.activate(agreement, signatures(agreement));
        termsOf[id] = agreement.terms;
    }

    // Nodes

    function enrollment(bytes32 agreement, uint16 party, string memory node, uint256 key)
        internal
        view
        returns (IConsortium.Enrollment memory)
    {
        uint256 nonce = consortium.enrollmentNonce(agreement, party);
        uint64 deadline = uint64(vm.getBlockTimestamp() + 1 hours);
        return
            IConsortium.Enrollment(
                agreement, party, node, vm.addr(key), "https://n.example:9443", true, deadline, nonce
            );
    }

    function enroll(IConsortium.Enrollment memory wanted, uint256 walletKey, uint256 key)
        internal
        returns (uint16 registration)
    {
        bytes32 digest = digestOf(address(consortium), this.hashEnrollment(wanted));
        registration = consortium.enroll(wanted, sign(walletKey, digest), sign(key, digest));
        nodeKey[wanted.agreement][registration] = key;
    }

    function enroll(bytes32 agreement, uint16 party, string memory node) internal returns (uint16 registration) {
        uint256 key = NODE + _nodes++;
        return enroll(enrollment(agreement, party, node, key), WALLET + party, key);
    }

    function retire(bytes32 agreement, uint16 registration, uint256 walletKey) internal {
        IConsortium.Retirement memory retirement =
            IConsortium.Retirement(agreement, registration, uint64(vm.getBlockTimestamp() + 1 hours));
        bytes32 digest = digestOf(address(consortium), this.hashRetirement(retirement));
        consortium.retire(retirement, sign(walletKey, digest));
    }

    /// @dev An agreement of `parties`, of which the first `enrolled` have a node whose registration is their number.
    function gathered(IConsortium.Agreement memory agreement, uint256 enrolled) internal returns (bytes32 id) {
        id = activate(agreement);
        for (uint16 p = 0; p < enrolled; ++p) {
            enroll(id, p, "n1");
        }
    }

    function gathered(uint256 parties) internal returns (bytes32 id) {
        return gathered(draft(parties), parties);
    }

    // Runs

    function request(bytes32 agreement, string memory name) internal view returns (ITraining.RunRequest memory) {
        uint64 deadline = uint64(vm.getBlockTimestamp() + 1 hours);
        return ITraining.RunRequest(agreement, 0, name, keccak256("salt"), 1, 0, deadline);
    }

    function createRun(ITraining.RunRequest memory wanted, uint256 walletKey) internal returns (bytes32) {
        bytes32 digest = digestOf(address(training), this.hashRunRequest(wanted));
        return training.createRun(wanted, termsOf[wanted.agreement], sign(walletKey, digest));
    }

    function createRun(bytes32 agreement) internal returns (bytes32 runId) {
        return createRun(request(agreement, "breast-cancer"), WALLET);
    }

    /// @dev Of the round that would be opened now.
    function membersRoot(bytes32 agreement) internal view returns (bytes32) {
        IConsortium.Snapshot memory snapshot = consortium.latestSnapshot(agreement);
        return keccak256(abi.encode(snapshot.root, snapshot.active));
    }

    function fund(bytes32 runId, uint256 amount) internal {
        vm.prank(TREASURY);
        SwarmToken(address(token)).mint(SPONSOR, amount);
        vm.prank(SPONSOR);
        token.approve(address(rewards), amount);
        vm.prank(SPONSOR);
        rewards.fund(runId, amount);
    }

    /// @dev What honest nodes would sign now, if the loss had gone to `loss`.
    function attestation(bytes32 runId, uint64 loss, bytes memory shares)
        internal
        view
        returns (ITraining.Attestation memory)
    {
        ITraining.Run memory run = training.run(runId);
        bool start = run.round == 0;
        return ITraining.Attestation({
            runId: runId,
            round: run.round,
            prev: run.prev,
            term: 0,
            rosterRoot: start ? bytes32(0) : keccak256("roster"),
            mergedRoot: start ? run.mergedRoot : keccak256(abi.encode("merged", run.round)),
            lossBefore: run.lastLoss,
            lossAfter: loss,
            metric: 0.9e9,
            shares: shares,
            rejects: ""
        });
    }

    function seal(ITraining.Attestation memory attested, uint16[] memory signers) internal {
        training.seal(attested, signers, signed(attested, signers));
    }

    /// @dev Sealed by the registrations 0 to `signers` - 1.
    function sealRound(bytes32 runId, uint64 loss, bytes memory shares, uint256 signers) internal {
        seal(attestation(runId, loss, shares), first(signers));
    }

    function signed(ITraining.Attestation memory attested, uint16[] memory signers)
        internal
        view
        returns (bytes memory all)
    {
        bytes32 agreement = training.run(attested.runId).agreement;
        bytes32 digest = training.attestationDigest(attested);
        for (uint256 i = 0; i < signers.length; ++i) {
            all = bytes.concat(all, sign(nodeKey[agreement][signers[i]], digest));
        }
    }

    function claimOf(bytes32 runId, uint16 party, address recipient) internal view returns (IClaims.Claim memory) {
        uint64 deadline = uint64(vm.getBlockTimestamp() + 1 hours);
        uint256 nonce = rewards.claimNonce(rewards.pool(runId).agreement, party);
        return IClaims.Claim(only(runId), party, recipient, nonce, deadline);
    }

    function claim(IClaims.Claim memory wanted, uint256 walletKey) internal returns (uint256) {
        return rewards.claim(wanted, sign(walletKey, digestOf(address(rewards), this.hashClaim(wanted))));
    }

    // Rows of shares

    function equalRow(uint256 parties) internal pure returns (bytes memory row) {
        for (uint16 p = 0; p < parties; ++p) {
            row = bytes.concat(row, share(p, uint16(10_000 / parties)));
        }
    }

    function share(uint16 party, uint16 bips) internal pure returns (bytes memory) {
        return abi.encodePacked(party, bips);
    }

    function first(uint256 count) internal pure returns (uint16[] memory registrations) {
        registrations = new uint16[](count);
        for (uint16 i = 0; i < count; ++i) {
            registrations[i] = i;
        }
    }

    function only(bytes32 runId) internal pure returns (bytes32[] memory runIds) {
        runIds = new bytes32[](1);
        runIds[0] = runId;
    }

    function list(uint16 a, uint16 b) internal pure returns (uint16[] memory all) {
        all = new uint16[](2);
        (all[0], all[1]) = (a, b);
    }

    /// @dev A deadline that everything signed in tests may have.
    function soon() internal view returns (uint64) {
        return uint64(vm.getBlockTimestamp() + 1 hours);
    }

    // Signatures. The domain is written out once more here, so that the contracts cannot agree with themselves only.

    function digestOf(address verifier, bytes32 structHash) internal view returns (bytes32) {
        bytes32 separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Swarm Learning"),
                keccak256("1"),
                block.chainid,
                verifier
            )
        );
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    function sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function hashAgreement(IConsortium.Agreement calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashEnrollment(IConsortium.Enrollment calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashRetirement(IConsortium.Retirement calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashRunRequest(ITraining.RunRequest calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashClaim(IClaims.Claim calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    // Assertions

    function same(uint256 left, uint256 right) internal pure {
        if (left != right) revert Different(left, right);
    }

    function same(bytes32 left, bytes32 right) internal pure {
        if (left != right) revert DifferentBytes(left, right);
    }

    function same(address left, address right) internal pure {
        if (left != right) revert DifferentAddress(left, right);
    }

    function same(string memory left, string memory right) internal pure {
        if (keccak256(bytes(left)) != keccak256(bytes(right))) revert DifferentText(left, right);
    }

    function so(bool claimed) internal pure {
        if (!claimed) revert NotSo();
    }

    function expect(bytes memory reverted) internal {
        vm.expectRevert(reverted);
    }
}
