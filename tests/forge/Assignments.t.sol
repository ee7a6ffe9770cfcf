// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITaskrunner} from "../../contracts/interfaces/ITaskrunner.sol";
import {Errands} from "./Errands.sol";

/// @dev k of n, by what anybody would count on his fingers: agents do whatever comes to their minds, in any order, and
/// after every step the contract has to say what the list of who said what says.
contract AssignmentsTest is Errands {
    uint16 internal constant MOST = 8;
    uint256 internal constant STEPS = 16;

    struct Mind {
        bool enrolled;
        bool enrolledBefore; // the assignment
        bool part; // has a place, or had one
        ITaskrunner.Status said;
    }

    uint16 internal agents;
    uint16 internal peers;
    uint16 internal needed;
    ITaskrunner.Mode internal mode;
    ITaskrunner.State internal result;
    Mind[MOST] internal minds;

    uint256 internal completes; // over all steps of a case
    uint256 internal errors;

    function setUp() public override {
        super.setUp();
        ready(taskRequest("task"));
        for (uint16 i = 3; i < MOST; ++i) {
            enroll(id, i % 3, string.concat("n", vm.toString(i)));
        }
    }

    function parts(ITaskrunner.Status status) internal view returns (uint16 number) {
        for (uint256 i = 0; i < MOST; ++i) {
            if (minds[i].part && minds[i].said == status) ++number;
        }
    }

    function taken() internal view returns (uint16) {
        return parts(ITaskrunner.Status.Active) + parts(ITaskrunner.Status.Completed) + parts(ITaskrunner.Status.Failed);
    }

    function judge() internal {
        if (result != ITaskrunner.State.Running) return;
        if (parts(ITaskrunner.Status.Completed) >= needed) result = ITaskrunner.State.Complete;
        else if (parts(ITaskrunner.Status.Failed) > peers - needed) result = ITaskrunner.State.Error;
    }

    function mayReport(uint16 i) internal view returns (bool) {
        Mind memory mind = minds[i];
        if (!mind.enrolled) return false;
        if (mind.part) return mind.said == ITaskrunner.Status.Active;
        if (mode == ITaskrunner.Mode.All) return mind.enrolledBefore;
        return result == ITaskrunner.State.Running && taken() < peers;
    }

    function says(uint16 i, ITaskrunner.Status status) internal {
        bool may = mayReport(i);
        vm.prank(keyOf(i));
        try taskrunner.report(runner, 1, i, status, NOTE) {
            so(may);
            (minds[i].part, minds[i].said) = (true, status);
            judge();
        } catch {
            so(!may);
        }
    }

    function comesOrGoes(uint16 i) internal {
        vm.prank(keyOf(i));
        if (minds[i].enrolled) {
            taskrunner.withdraw(runner, i);
            bool counted = minds[i].part || (mode == ITaskrunner.Mode.All && minds[i].enrolledBefore);
            bool open = !minds[i].part || minds[i].said == ITaskrunner.Status.Active;
            if (counted && open) (minds[i].part, minds[i].said) = (true, ITaskrunner.Status.Failed);
            (minds[i].enrolled, minds[i].enrolledBefore) = (false, false);
            judge();
        } else {
            taskrunner.enroll(runner, i);
            minds[i].enrolled = true;
        }
    }

    function compare() internal view {
        isIn(result);
        counts(parts(ITaskrunner.Status.Active), parts(ITaskrunner.Status.Completed), parts(ITaskrunner.Status.Failed));
        for (uint16 i = 0; i < MOST; ++i) {
            ITaskrunner.Agent memory agent = taskrunner.agent(runner, i);
            same(uint256(agent.status), uint256(minds[i].said));
            so(agent.enrolled == minds[i].enrolled);
        }
    }

    function play(uint256 seed, bool all, uint16 agents_, uint16 peers_, uint16 needed_) internal {
        agents = 1 + agents_ % MOST;
        mode = all ? ITaskrunner.Mode.All : ITaskrunner.Mode.Peers;
        peers = all ? agents : 1 + peers_ % MOST;
        needed = 1 + needed_ % peers;
        for (uint16 i = 0; i < agents; ++i) {
            enlist(i);
            (minds[i].enrolled, minds[i].enrolledBefore) = (true, true);
        }
        assign(assignment("task", mode, all ? 0 : peers, needed));
        result = ITaskrunner.State.Running;
        for (uint256 step = 0; step < STEPS; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint16 i = uint16(seed % MOST);
            uint256 what = (seed >> 16) % 8;
            if (what == 0) comesOrGoes(i);
            else says(i, ITaskrunner.Status(1 + what % 3));
            compare();
        }
        if (result == ITaskrunner.State.Complete) ++completes;
        if (result == ITaskrunner.State.Error) ++errors;
        bool done = taskrunner.task(taskrunner.taskrunner(runner).task).doneAt != 0;
        so(done == (result == ITaskrunner.State.Complete));
    }

    function testFuzz_kOfNComesOutAsCounted(uint256 seed, bool all, uint16 agents_, uint16 peers_, uint16 needed_)
        public
    {
        play(seed, all, agents_, peers_, needed_);
    }

    /// @dev The dice above do throw every result.
    function test_theDiceReachEveryResult() public {
        uint256 open;
        uint256 before = vm.snapshotState();
        (uint256 allCompletes, uint256 allErrors) = (0, 0);
        for (uint16 n = 0; n < 24; ++n) {
            play(n, n % 2 == 0, n, n / 2, n / 3);
            (allCompletes, allErrors) = (allCompletes + completes, allErrors + errors);
            if (completes + errors == 0) ++open;
            vm.revertToState(before);
        }
        so(allCompletes > 2);
        so(allErrors > 2);
        so(open > 2);
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_timeEndsEverything(uint256 seed, uint16 peers_, uint16 needed_, uint32 later) public {
        play(seed, false, 0, peers_, needed_);
        vm.warp(START + 2 hours + 1 + later);
        so(progress().state != ITaskrunner.State.Running);
        reset(resetRequest(0));
        isIn(ITaskrunner.State.Idle);
    }
}
