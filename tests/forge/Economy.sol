// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaims} from "../../contracts/interfaces/IClaims.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IPresence} from "../../contracts/interfaces/IPresence.sol";
import {IRoyalties} from "../../contracts/interfaces/IRoyalties.sol";
import {IStakes} from "../../contracts/interfaces/IStakes.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Vaults} from "./Vaults.sol";

/// @dev Everything that moves money, in any order, by an agreement with runs and another one that asks for stakes.
/// `did` counts what succeeded; `broken` tells when something did that never must.
contract Economy is Vaults {
    uint16 internal constant PARTIES = 4;
    uint256 internal constant MAX_RUNS = 4;
    address internal constant BANK = address(0xBA27);

    enum Deed {
        Funded,
        Sealed,
        Finished,
        Claimed,
        ClaimedForSeveral,
        Delegated,
        ClaimedByDelegate,
        Refunded,
        Deposited,
        Unlocked,
        Withdrawn,
        Slashed,
        Collected,
        Bought,
        Paid,
        RoyaltiesClaimed,
        Priced,
        Suspected,
        Answered,
        LeftOut,
        Returned,
        CoinsCollected
    }

    bytes32[] public runs;
    bytes32 public training_; // agreement with runs
    bytes32 public staking_; // agreement that asks for stakes
    string public broken;
    mapping(Deed => uint256) public did;

    function setUp() public override {
        super.setUp();
        IConsortium.Agreement memory agreement = draft(PARTIES);
        agreement.terms.licensePrice = 1e18 + 1;
        agreement.terms.probation = 1 hours;
        training_ = gathered(agreement, PARTIES);
        staking_ = gathered(staking(PARTIES), PARTIES);
        startsRun();
        startsRun();
        coinVm.txGasPrice(1 gwei);
        coinVm.deal(address(this), 1e9 ether);
    }

    function vaults() external view returns (IClaims, IStakes, IRoyalties, IPresence) {
        return (rewards, stakes, royalties, presence);
    }

    function runCount() external view returns (uint256) {
        return runs.length;
    }

    // Time, runs

    function timePasses(uint256 seconds_) external {
        vm.warp(vm.getBlockTimestamp() + seconds_ % 3 days);
    }

    function startsRun() public {
        if (runs.length == MAX_RUNS || !consortium.inForce(training_)) return;
        runs.push(createRun(request(training_, string.concat("run-", vm.toString(runs.length))), WALLET));
    }

    function sponsorFunds(uint256 r, uint88 amount) external {
        bytes32 runId = runs[r % runs.length];
        if (rewards.pool(runId).closed) return;
        fund(runId, 1 + amount % 1e21);
        did[Deed.Funded] += 1;
    }

    function quorumSeals(uint256 r, uint64 loss, uint256 seed) external {
        bytes32 runId = runs[r % runs.length];
        ITraining.Run memory run = training.run(runId);
        if (run.state != ITraining.State.Open) return;
        // Seldom down to the target, so that runs live on for a while.
        loss = seed % 8 == 0 ? loss : TARGET + 1 + loss % (CEILING - TARGET);
        try training.seal(
            attestation(runId, loss, run.round == 0 ? bytes("") : row(seed)),
            first(3),
            signed(attestation(runId, loss, run.round == 0 ? bytes("") : row(seed)), first(3))
        ) {
            did[Deed.Sealed] += 1;
        } catch {}
        if (training.run(runId).state == ITraining.State.Finished) did[Deed.Finished] += 1;
    }

    function somebodyRefunds(uint256 r) external {
        bytes32 runId = runs[r % runs.length];
        bool closed = rewards.pool(runId).closed;
        try rewards.refund(runId) {
            did[Deed.Refunded] += 1;
            if (!closed) broken = "refunded before the end";
        } catch {}
    }

    // Rewards and royalties

    function somebodyPostsAClaim(uint256 r, uint16 party, bool ofRoyalties, bool several, bool twice) external {
        IClaims payer = ofRoyalties ? IClaims(royalties) : IClaims(rewards);
        party %= PARTIES;
        bytes32[] memory which = several ? runs : only(runs[r % runs.length]);
        IClaims.Claim memory wanted = claimOf(payer, training_, which, party, BANK);
        bytes memory signature = sign(WALLET + party, digestOf(address(payer), this.hashClaim(wanted)));
        uint256 before = token.balanceOf(BANK);
        try payer.claim(wanted, signature) returns (uint256 amount) {
            if (token.balanceOf(BANK) - before != amount) broken = "paid another amount than claimed";
            did[ofRoyalties ? Deed.RoyaltiesClaimed : several ? Deed.ClaimedForSeveral : Deed.Claimed] += 1;
        } catch {
            return;
        }
        if (!twice) return;
        try payer.claim(wanted, signature) {
            broken = "a claim was paid twice";
        } catch {}
    }

    function aStrangerClaims(uint256 r, uint16 party, bool ofRoyalties) external {
        IClaims payer = ofRoyalties ? IClaims(royalties) : IClaims(rewards);
        try payer.claimTo(only(runs[r % runs.length]), party % PARTIES, address(this)) {
            broken = "a stranger claimed";
        } catch {}
    }

    function aWalletDelegates(uint16 party, uint8 clerk) external {
        party %= PARTIES;
        delegate(
            rewards, delegation(rewards, training_, party, address(uint160(0xC000) + clerk % 3), BANK), WALLET + party
        );
        did[Deed.Delegated] += 1;
    }

    function aClerkClaims(uint256 r, uint16 party, uint8 clerk) external {
        party %= PARTIES;
        (address claimer,) = rewards.delegateOf(training_, party);
        address caller = address(uint160(0xC000) + clerk % 3);
        vm.prank(caller);
        try rewards.claimFor(only(runs[r % runs.length]), party) {
            did[Deed.ClaimedByDelegate] += 1;
            if (caller != claimer) broken = "somebody claimed who was not delegated to";
        } catch {}
    }

    function somebodyBuys(uint256 r) external {
        bytes32 runId = runs[r % runs.length];
        uint256 price = royalties.price(runId);
        if (price > 1e22) return;
        allow(BUYER, address(royalties), price);
        vm.prank(BUYER);
        try royalties.buy(runId, BUYER, price) {
            did[Deed.Bought] += 1;
            if (price == 0) broken = "sold for nothing";
        } catch {}
    }

    function somebodyPays(uint256 r, uint88 amount) external {
        allow(BUYER, address(royalties), amount % 1e21);
        vm.prank(BUYER);
        try royalties.pay(runs[r % runs.length], amount % 1e21) {
            did[Deed.Paid] += 1;
        } catch {}
    }

    function organizationsVoteForAPrice(uint256 r, uint88 price, uint256 voters) external {
        IRoyalties.Pricing memory wanted = pricing(runs[r % runs.length], price);
        voters = 1 + voters % PARTIES;
        try royalties.setPrice(wanted, first(voters), vote(wanted, voters)) {
            did[Deed.Priced] += 1;
            if (voters <= PARTIES / 2) broken = "a minority set the price";
        } catch {}
    }

    // Stakes

    function somebodyDeposits(bool ofTraining, uint16 party, uint88 amount) external {
        deposit(agreement_(ofTraining), party % PARTIES, 1 + amount % (3 * MIN_STAKE));
        did[Deed.Deposited] += 1;
    }

    function aPartyGivesNotice(bool ofTraining, uint16 party, uint128 amount) external {
        party %= PARTIES;
        bytes32 agreement = agreement_(ofTraining);
        IStakes.Unlocking memory wanted =
            unlocking(agreement, party, amount % (stakes.stake(agreement, party).locked + 1), BANK);
        try stakes.unlock(wanted, sign(WALLET + party, digestOf(address(stakes), this.hashUnlocking(wanted)))) {
            did[Deed.Unlocked] += 1;
        } catch {}
    }

    function somebodyWithdraws(bool ofTraining, uint16 party) external {
        bytes32 agreement = agreement_(ofTraining);
        uint256 leavesAt = stakes.stake(agreement, party % PARTIES).leavesAt;
        try stakes.withdraw(agreement, party % PARTIES) {
            did[Deed.Withdrawn] += 1;
            if (vm.getBlockTimestamp() <= leavesAt) broken = "withdrawn too early";
        } catch {}
    }

    function aNodeContradictsItself(uint256 r, uint16 registration, bool honest) external {
        bytes32 runId = runs[r % runs.length];
        registration %= PARTIES;
        IStakes.Update memory a = update(runId, registration, "a");
        IStakes.Update memory b = update(runId, registration, honest ? "a" : "b");
        bytes memory signatureA = node(runId, registration, this.hashUpdate(a));
        bytes memory signatureB = node(runId, registration, this.hashUpdate(b));
        vm.prank(FINDER);
        try stakes.slashUpdates(address(training), registration, a, b, signatureA, signatureB) {
            did[Deed.Slashed] += 1;
            if (honest) broken = "an honest node was slashed";
        } catch {}
    }

    function somebodyCollects(bool finder) external {
        try stakes.collect(finder ? FINDER : CHARITY) {
            did[Deed.Collected] += 1;
        } catch {}
    }

    // Presence

    function aMemberSuspects(uint16 party, uint16 by, uint64 more) external {
        (party, by) = (party % PARTIES, by % PARTIES);
        IPresence.Suspicion memory raised = suspicion(training_, party, by);
        bytes memory signature = sign(nodeKey[training_][by], digestOf(address(presence), this.hashSuspicion(raised)));
        try presence.suspect{value: presence.ANSWER_GAS() * 1 gwei + more % 1 ether}(raised, signature) {
            did[Deed.Suspected] += 1;
            if (party == by) broken = "suspected itself";
        } catch {}
    }

    function somebodyAnswers(uint16 party, bool byWallet) external {
        party %= PARTIES;
        IPresence.Alive memory said = answer(training_, party, party);
        uint256 key = byWallet ? WALLET + party : nodeKey[training_][party];
        bytes memory signature = sign(key, digestOf(address(presence), this.hashAlive(said)));
        bool open = presence.suspicion(training_, party).open;
        vm.prank(FINDER);
        try presence.alive(said, byWallet, signature) {
            did[open ? Deed.Answered : Deed.Returned] += 1;
        } catch {}
    }

    function somebodyLeavesOut(uint16 party) external {
        party %= PARTIES;
        uint256 answerBy = presence.suspicion(training_, party).answerBy;
        try presence.leaveOut(training_, party) {
            did[Deed.LeftOut] += 1;
            if (vm.getBlockTimestamp() <= answerBy) broken = "left out before its time was over";
        } catch {}
    }

    function somebodyCollectsCoins() external {
        try presence.collect(FINDER) {
            did[Deed.CoinsCollected] += 1;
        } catch {}
    }

    receive() external payable {}

    function agreement_(bool ofTraining) internal view returns (bytes32) {
        return ofTraining ? training_ : staking_;
    }

    /// @dev A metered row of all parties; some get nothing, and not everything is given away.
    function row(uint256 seed) internal pure returns (bytes memory all) {
        uint256 left = 10_000;
        for (uint16 p = 0; p < PARTIES; ++p) {
            uint16 bips = uint16(uint256(keccak256(abi.encode(seed, p))) % (left + 1));
            left -= bips;
            all = bytes.concat(all, share(p, bips));
        }
    }
}
