// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPresence} from "../../contracts/interfaces/IPresence.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {IRoyalties} from "../../contracts/interfaces/IRoyalties.sol";
import {IStakes} from "../../contracts/interfaces/IStakes.sol";
import {ITaskrunner} from "../../contracts/interfaces/ITaskrunner.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Market} from "./Market.sol";
import {Vm} from "./Vm.sol";
import {World} from "./market/World.sol";

/// @dev Whatever happens on the market, in whatever order. All promises are looked at after each call of one long
/// campaign; which one is broken stands in the error.
contract InvariantsTest {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    uint256 private constant SEATS = 4;
    uint16 private constant PARTIES = 6; // at the most
    address private constant FINDER = address(0xF1D);
    address private constant CHARITY = address(0xC4A1);

    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    Market internal market;
    Market.Parts internal parts;

    event log_named_uint(string what, uint256 times); // forge prints it, with -vv

    error Broken(string what);
    /// @dev Bit d: deed d.
    error NeverDone(uint256 deeds);

    function setUp() public {
        market = new Market();
        market.setUp();
        parts = market.parts();
    }

    /// @dev Forge asks for these three. It gives coins to whom it lets call, so that must be none of the contracts.
    function targetSenders() external pure returns (address[] memory senders) {
        senders = new address[](1);
        senders[0] = address(0xCA11);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(market);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(market), market.actions());
    }

    /// @dev Sequences long enough that everything happens in each; a million calls in the long run, whose sequences are
    /// longer, because whatever may happen has to happen in every one of them, whatever the dice.
    /// forge-config: default.invariant.runs = 1
    /// forge-config: default.invariant.depth = 8500
    /// forge-config: long.invariant.runs = 20
    /// forge-config: long.invariant.depth = 50000
    function invariant_everyPromiseIsKept() public view {
        _nothingForbiddenSucceeded();
        _escrowIsWhatWasFundedAndNotPaidOut();
        _stakesAndWhatIsOwedOfThemAreThere();
        _royaltiesAreThere();
        _coinsOfSuspicionsAreThere();
        _roundsAreSealedOnceAndInOrder();
        _runsKeepTheirTerms();
        _assignmentsAreWhatTheirAgentsSay();
        _tasksAreDoneOnceTheirPeersAre();
        _versionsStayWhatTheyWere();
    }

    /// @dev After each sequence: everything that may happen has happened; then all leave, and nothing is left behind.
    function afterInvariant() public {
        // Comes after a promise that was broken on the way, too.
        invariant_everyPromiseIsKept();
        uint256 missing;
        for (uint8 deed = 0; deed <= uint8(type(World.Deed).max); ++deed) {
            uint256 times = market.did(World.Deed(deed));
            emit log_named_uint(string.concat("deed ", vm.toString(deed)), times);
            if (times == 0) missing |= 1 << deed;
        }
        if (missing != 0) revert NeverDone(missing);
        for (uint256 seat = 0; seat < SEATS; ++seat) {
            market.everybodyGoes(seat);
        }
        _nothingForbiddenSucceeded();
        if (parts.token.balanceOf(address(parts.rewards)) != 0) revert Broken("escrow was left behind");
        uint256 owed = parts.stakes.owed(FINDER) + parts.stakes.owed(CHARITY);
        if (parts.token.balanceOf(address(parts.stakes)) != owed) revert Broken("stake was left behind");
        if (parts.token.balanceOf(address(parts.royalties)) != market.sunk()) {
            revert Broken("royalties were left behind");
        }
    }

    function _nothingForbiddenSucceeded() private view {
        if (bytes(market.broken()).length != 0) revert Broken(market.broken());
    }

    function _escrowIsWhatWasFundedAndNotPaidOut() private view {
        uint256 held;
        for (uint256 seat = 0; seat < SEATS; ++seat) {
            uint256 count = market.runCount(seat);
            for (uint256 i = 0; i < count; ++i) {
                held += _claimedIsAccruedIsVestedIsFunded(market.runAt(seat, i));
            }
        }
        if (parts.token.balanceOf(address(parts.rewards)) != held) revert Broken("escrow is not what the books say");
    }

    function _claimedIsAccruedIsVestedIsFunded(bytes32 runId) private view returns (uint256 held) {
        IRewards.Pool memory pool = parts.rewards.pool(runId);
        uint256 vested = market.vested(runId);
        if (pool.credited > vested) revert Broken("accrued more than vested");
        if (vested > pool.funded) revert Broken("vested more than funded");
        if (pool.refunded > pool.funded - pool.credited) revert Broken("refunded what is owed");
        if (pool.refunded != 0 && !pool.closed) revert Broken("refunded before the end");
        if (pool.atEnd && !pool.closed && pool.claimed != 0) revert Broken("paid before the end");
        uint256 accrued;
        uint256 claimed;
        uint64 counted = market.everCounted(runId);
        for (uint16 p = 0; p < PARTIES; ++p) {
            IRewards.Account memory account = parts.rewards.account(runId, p);
            accrued += account.accrued;
            claimed += account.claimed;
            if (account.claimed > account.accrued) revert Broken("paid more than accrued");
            if (account.accrued != 0 && counted >> p & 1 == 0) revert Broken("paid who was never counted");
        }
        if (accrued != pool.credited) revert Broken("accounts do not add up to what was credited");
        if (claimed != pool.claimed) revert Broken("accounts do not add up to what was claimed");
        held = pool.funded - pool.claimed - pool.refunded;
        if (held < accrued - claimed) revert Broken("escrow does not cover what is owed");
    }

    function _stakesAndWhatIsOwedOfThemAreThere() private view {
        uint256 held = parts.stakes.owed(FINDER) + parts.stakes.owed(CHARITY);
        for (uint256 seat = 0; seat < SEATS; ++seat) {
            bytes32 agreement = market.agreements(seat);
            uint256 minStake = parts.consortium.bylaws(agreement).minStake;
            uint64 staked;
            for (uint16 p = 0; p < PARTIES; ++p) {
                IStakes.Stake memory stake = parts.stakes.stake(agreement, p);
                held += uint256(stake.locked) + stake.leaving;
                if (stake.locked >= minStake) staked |= uint64(1 << p);
            }
            if (minStake != 0 && staked != parts.stakes.staked(agreement)) revert Broken("who has the minimum stake");
        }
        if (parts.token.balanceOf(address(parts.stakes)) != held) revert Broken("stakes are not what the books say");
    }

    function _royaltiesAreThere() private view {
        uint256 held = market.sunk();
        for (uint256 seat = 0; seat < SEATS; ++seat) {
            uint256 count = market.runCount(seat);
            for (uint256 i = 0; i < count; ++i) {
                bytes32 runId = market.runAt(seat, i);
                IRoyalties.Sale memory sale = parts.royalties.sale(runId);
                if (sale.received == 0) continue;
                held += sale.received - sale.claimed;
                _royaltiesCoverWhatIsOwed(runId, sale.received, sale.claimed);
            }
        }
        if (parts.token.balanceOf(address(parts.royalties)) != held) {
            revert Broken("royalties are not what the books say");
        }
    }

    function _royaltiesCoverWhatIsOwed(bytes32 runId, uint256 received, uint256 claimed) private view {
        uint256 entitled;
        uint256 paid;
        for (uint16 p = 0; p < PARTIES; ++p) {
            (uint256 entitled_, uint256 claimed_) = parts.royalties.account(runId, p);
            if (claimed_ > entitled_) revert Broken("royalties were paid twice");
            entitled += entitled_;
            paid += claimed_;
        }
        if (entitled > received) revert Broken("more royalties are owed than came");
        if (received - entitled >= PARTIES) revert Broken("more royalties were lost than rounding takes");
        if (paid != claimed) revert Broken("royalties do not add up");
    }

    function _coinsOfSuspicionsAreThere() private view {
        uint256 held = market.coins() + parts.presence.owed(FINDER) + parts.presence.owed(address(market));
        for (uint256 seat = 0; seat < SEATS; ++seat) {
            bytes32 agreement = market.agreements(seat);
            for (uint16 p = 0; p < PARTIES; ++p) {
                IPresence.Case memory suspected = parts.presence.suspicion(agreement, p);
                held += suspected.deposit;
                if (!suspected.open && suspected.deposit != 0) revert Broken("a deposit that nobody is owed");
                bool away = parts.presence.away(agreement) >> p & 1 == 1;
                if (suspected.open && away) revert Broken("suspected, though it is left out already");
            }
        }
        if (address(parts.presence).balance != held) revert Broken("coins are not what the books say");
    }

    function _roundsAreSealedOnceAndInOrder() private view {
        for (uint256 seat = 0; seat < SEATS; ++seat) {
            bytes32 runId = market.runs(seat);
            ITraining.Run memory run = parts.training.run(runId);
            uint256 count = market.sealedRounds(runId);
            // A run that was closed before its first seal shows round 0, as one does that was sealed once.
            if (run.state == ITraining.State.Open
                    ? count != run.round
                    : count != run.round + 1 && count + run.round != 0) {
                revert Broken("rounds were sealed twice, or skipped");
            }
            if (run.bestLoss > run.initialLoss) revert Broken("the best loss is not the best");
        }
    }

    function _runsKeepTheirTerms() private view {
        for (uint256 seat = 0; seat < SEATS; ++seat) {
            bytes32 runId = market.runs(seat);
            (uint16 parties,, bytes32 termsHash,,,) = market.deals(runId);
            if (keccak256(abi.encode(parts.training.terms(runId))) != termsHash) {
                revert Broken("an amendment changed the terms of a run");
            }
            if (parts.training.run(runId).active >> parties != 0) {
                revert Broken("who joined later is counted in an earlier run");
            }
        }
    }

    function _assignmentsAreWhatTheirAgentsSay() private view {
        for (uint256 seat = 0; seat < SEATS; ++seat) {
            uint256 count = market.runnerCount(seat);
            for (uint256 i = 0; i < count; ++i) {
                _assignmentIsWhatItsAgentsSay(market.runnersOf(market.agreements(seat), i));
            }
        }
    }

    function _assignmentIsWhatItsAgentsSay(bytes32 id) private view {
        ITaskrunner.Runner memory runner = parts.taskrunner.taskrunner(id);
        ITaskrunner.Progress memory said = runner.progress;
        ITaskrunner.Agent[] memory agents = parts.taskrunner.agents(id);
        uint256[4] memory counts; // by status
        uint256 enrolled;
        for (uint256 i = 0; i < agents.length; ++i) {
            counts[uint256(agents[i].status)] += 1;
            if (agents[i].enrolled) ++enrolled;
            if (agents[i].status != ITaskrunner.Status.None && !agents[i].peer) revert Broken("no peer, but counted");
        }
        if (enrolled != runner.agents) revert Broken("agents are not counted right");
        if (counts[1] != said.active || counts[2] != said.completed || counts[3] != said.failed) {
            revert Broken("reports are not counted right");
        }
        uint256 reported = counts[1] + counts[2] + counts[3];
        if (reported > said.peers - said.places) revert Broken("more peers than there are places");
        if (said.needed > said.peers) revert Broken("more are needed than there are");
        if (said.state == ITaskrunner.State.Complete && said.completed < said.needed) {
            revert Broken("complete without enough peers");
        }
        if (said.state != ITaskrunner.State.Running) return;
        if (said.completed >= said.needed || said.peers - said.failed < said.needed) {
            revert Broken("running, though it is decided");
        }
    }

    function _tasksAreDoneOnceTheirPeersAre() private view {
        for (uint256 seat = 0; seat < SEATS; ++seat) {
            bytes32 agreement = market.agreements(seat);
            bytes32[] memory ids = parts.taskrunner.tasks(agreement);
            for (uint256 i = 0; i < ids.length; ++i) {
                ITaskrunner.Task memory task = parts.taskrunner.task(ids[i]);
                if (task.isFinal && task.body != market.finalBody(ids[i])) revert Broken("a final task was changed");
                if ((task.doneAt != 0) != market.isDone(ids[i])) revert Broken("an outcome without its task");
                if (task.doneAt != 0 && !task.isFinal) revert Broken("done before it was final");
                bool named = parts.taskrunner.named(agreement, task.name) == ids[i]
                    && parts.taskrunner.named(agreement, task.outcome) == ids[i];
                if (!named) revert Broken("a name stands for another task");
            }
        }
    }

    function _versionsStayWhatTheyWere() private view {
        uint256 count = market.versionCount();
        if (parts.registry.count() != count) revert Broken("versions are not counted right");
        uint256 retired = market.retired();
        uint256 latest = count; // the last that is not retired
        for (uint256 v = 0; v < count; ++v) {
            if (market.versionHash(v) != market.published(v)) revert Broken("a version was changed");
            if (retired >> v & 1 == 0) latest = v;
        }
        if (latest == count) return;
        (uint256 shown,) = parts.registry.latest();
        if (shown != latest) revert Broken("another version is shown as the latest");
    }
}
