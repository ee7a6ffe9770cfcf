// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Which texts may become part of SPIFFE IDs, URLs and run names
/// @dev No text passes that reads like another one: no capitals, spaces, slashes or letters beyond ASCII.
library Names {
    uint256 internal constant MAX_LENGTH = 63;
    uint256 internal constant MAX_URL_LENGTH = 255;
    uint256 internal constant MAX_NAME_LENGTH = 160;

    // Bit c is set when the character c may occur.
    uint256 private constant LABEL = ((1 << 10) - 1) << 0x30 // 0-9
        | ((1 << 26) - 1) << 0x61 // a-z
        | 1 << 0x2d; // hyphen
    uint256 private constant DOTTED = LABEL | 1 << 0x2e;
    uint256 private constant NAME = DOTTED | ((1 << 26) - 1) << 0x41 // A-Z
        | 1 << 0x5f // underscore
        | 1 << 0x2f | 1 << 0x3a; // slash and colon
    uint256 private constant VISIBLE = ((1 << 94) - 1) << 0x21;

    /// @notice 1 to 63 lower-case letters, digits and hyphens.
    function isLabel(string calldata text) internal pure returns (bool) {
        return bytes(text).length != 0 && _consistsOf(text, LABEL, MAX_LENGTH);
    }

    /// @notice As a label, and dots.
    function isDotted(string calldata text) internal pure returns (bool) {
        return bytes(text).length != 0 && _consistsOf(text, DOTTED, MAX_LENGTH);
    }

    /// @notice 1 to 160 letters of either case, digits, and . _ - / : (tasks are named as their users are used to, and
    /// what they make may be an image's name). Never part of a SPIFFE ID or a URL.
    function isName(string calldata text) internal pure returns (bool) {
        return bytes(text).length != 0 && _consistsOf(text, NAME, MAX_NAME_LENGTH);
    }

    /// @notice Up to 255 visible ASCII characters; nothing stands for a node that takes no connections.
    function isUrl(string calldata text) internal pure returns (bool) {
        return _consistsOf(text, VISIBLE, MAX_URL_LENGTH);
    }

    function _consistsOf(string calldata text, uint256 characters, uint256 maxLength) private pure returns (bool) {
        bytes calldata raw = bytes(text);
        if (raw.length > maxLength) return false;
        for (uint256 i = 0; i < raw.length; ++i) {
            if (characters >> uint8(raw[i]) & 1 == 0) return false;
        }
        return true;
    }
}
