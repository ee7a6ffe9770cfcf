// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LocalArithmetic} from "./LocalArithmetic.sol";
import {Said} from "./LocalReference.sol";

/// @dev What the contracts paid in some runs, as JSON, for implementations in other languages to be compared with:
/// `forge test --match-contract LocalVectors -vv`, one case a line.
contract LocalVectorsTest is LocalArithmetic {
    event log_named_string(string what, string value); // forge prints it

    uint256 private constant CASES = 8;
    uint256 private constant ROUNDS = 3;

    function test_tellsWhatItPaid() public {
        for (uint256 k = 0; k < CASES; ++k) {
            uint256 organizations = 2 + 2 * k;
            uint8 budgetRule = uint8((k + 1) % 2);
            bytes32 runId = begun(organizations, budgetRule);
            Said[][] memory said = inventAll(organizations, ROUNDS, k);
            play(runId, said, k);
            over(runId);
            emit log_named_string("case", told(runId, said, budgetRule));
        }
    }

    function told(bytes32 runId, Said[][] memory said, uint8 budgetRule) internal view returns (string memory text) {
        text = string.concat(
            '{"funded_wei": "',
            vm.toString(POOL),
            '", "initial_loss_e9": ',
            vm.toString(L0),
            ', "target_loss_e9": ',
            vm.toString(TARGET),
            ', "per_round_of": ',
            budgetRule == 1 ? vm.toString(MAX_ROUNDS) : "null",
            ', "rounds": ['
        );
        for (uint256 r = 0; r < said.length; ++r) {
            text = string.concat(text, r == 0 ? "" : ", ", roundTold(said[r]));
        }
        text = string.concat(text, '], "credited_wei": [');
        for (uint256 p = 0; p < said[0].length; ++p) {
            text = string.concat(text, p == 0 ? '"' : ', "', vm.toString(accrued(runId, p)), '"');
        }
        text = string.concat(text, "]}");
    }

    /// @dev One entry an organization: null if it was never heard.
    function roundTold(Said[] memory said) internal pure returns (string memory text) {
        text = "[";
        for (uint256 j = 0; j < said.length; ++j) {
            text = string.concat(text, j == 0 ? "" : ", ", said[j].heard ? reportTold(said[j]) : "null");
        }
        text = string.concat(text, "]");
    }

    function reportTold(Said memory one) internal pure returns (string memory text) {
        text = string.concat(
            '{"loss_before_e9": ',
            vm.toString(uint256(one.lossBefore)),
            ', "loss_after_e9": ',
            vm.toString(uint256(one.lossAfter)),
            ', "bips": ['
        );
        for (uint256 i = 0; i < one.bips.length; ++i) {
            text = string.concat(text, i == 0 ? "" : ", ", vm.toString(one.bips[i]));
        }
        text = string.concat(text, "]}");
    }
}
