// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ITaskrunner} from "../interfaces/ITaskrunner.sol";

/// @dev What is known of an agent: one slot, and what it said last.
struct Seat {
    uint32 since; // first assignment that it is among `All` of; zero: never enrolled
    uint32 joined; // assignment that `status` is about
    uint32 invited; // assignment that it is a target of
    ITaskrunner.Status status;
    bool enrolled;
    uint64 reportedAt; // [unix s]
    bytes32 description;
}

/// @title Who is a peer of an assignment, and how the assignment comes out
library Assignments {
    uint16 internal constant MAX_PEERS = 2048; // 64 parties with 32 nodes each
    uint64 internal constant LONGEST = 30 days;

    /// @notice A new assignment. `enrolled` is the number of agents.
    function begin(ITaskrunner.Progress memory last, ITaskrunner.Assignment calldata wanted, uint16 enrolled)
        internal
        pure
        returns (ITaskrunner.Progress memory begun)
    {
        begun.number = last.number + 1;
        begun.state = ITaskrunner.State.Running;
        begun.mode = wanted.mode;
        begun.party = wanted.party;
        begun.endsAt = wanted.endsAt;
        if (wanted.mode == ITaskrunner.Mode.Peers) {
            begun.peers = begun.places = wanted.peers;
        } else {
            begun.peers = wanted.mode == ITaskrunner.Mode.All ? enrolled : 1;
        }
        begun.needed = wanted.needed == 0 ? begun.peers : wanted.needed;
    }

    /// @notice One more peer that has to complete the task, and perhaps more time.
    function extend(ITaskrunner.Progress memory progress, uint64 endsAt) internal pure {
        progress.peers += 1;
        progress.needed += 1;
        if (endsAt > progress.endsAt) progress.endsAt = endsAt;
    }

    /// @notice Whether the assignment says what its mode needs, and no more, and can be completed.
    function fits(ITaskrunner.Progress memory progress, ITaskrunner.Assignment calldata wanted)
        internal
        pure
        returns (bool)
    {
        bool named = wanted.mode == ITaskrunner.Mode.Target;
        if (wanted.peers > (wanted.mode == ITaskrunner.Mode.Peers ? MAX_PEERS : 0)) return false;
        if (named ? wanted.needed > 1 : wanted.target != 0) return false;
        return progress.peers != 0 && progress.needed <= progress.peers;
    }

    /// @notice Whether the agent has a part in the assignment already, so that it needs no place.
    function isPeer(Seat memory seat, ITaskrunner.Progress memory progress) internal pure returns (bool) {
        uint32 number = progress.number;
        if (number == 0) return false;
        if (seat.joined == number || seat.invited == number) return true;
        return progress.mode == ITaskrunner.Mode.All && seat.enrolled && seat.since <= number;
    }

    /// @notice Counts what an agent reported; an agent that reports for the first time is active before.
    function count(ITaskrunner.Progress memory progress, Seat memory seat, ITaskrunner.Status status) internal view {
        if (seat.joined != progress.number) progress.active += 1;
        if (status != ITaskrunner.Status.Active) progress.active -= 1;
        if (status == ITaskrunner.Status.Completed) progress.completed += 1;
        if (status == ITaskrunner.Status.Failed) progress.failed += 1;
        seat.joined = progress.number;
        seat.status = status;
        seat.reportedAt = uint64(block.timestamp);
    }

    /// @notice Complete with enough peers that completed it; Error as soon as too few are left that could.
    function outcome(ITaskrunner.Progress memory progress) internal pure returns (ITaskrunner.State) {
        if (progress.completed >= progress.needed) return ITaskrunner.State.Complete;
        if (progress.peers - progress.failed < progress.needed) return ITaskrunner.State.Error;
        return ITaskrunner.State.Running;
    }

    /// @notice Whether its time has passed before it came to an end.
    function isLate(ITaskrunner.Progress memory progress) internal view returns (bool) {
        return progress.state == ITaskrunner.State.Running && block.timestamp > progress.endsAt;
    }
}
