"""What contracts/README.md and the interfaces promise can be looked up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "contracts/README.md").read_text(encoding="utf-8")
FORGE = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("tests/forge/*.t.sol")}
_TEST = re.compile(r"`((?:test(?:Fuzz)?|invariant)_\w+\*?|afterInvariant)`")
_FUNCTION = re.compile(r"(?P<doc>(?:^ +///.*\n)*)^ +function (?P<name>\w+)\((?P<rest>[^;]*);", re.M)


def _functions() -> Iterator[tuple[str, str, str]]:
    """Interface, name and documentation of every function that changes something."""
    for path in sorted((ROOT / "contracts/interfaces").glob("*.sol")):
        for found in _FUNCTION.finditer(path.read_text(encoding="utf-8")):
            if not re.search(r"\b(view|pure)\b", found["rest"]):
                yield path.stem, found["name"], found["doc"]


def test_every_test_that_the_readme_names_is_there() -> None:
    written = set(re.findall(r"\bfunction (\w+)\(", "\n".join(FORGE.values())))
    named = set(_TEST.findall(README))
    assert len(named) > 20
    for name in named:
        if name.endswith("*"):
            assert any(each.startswith(name[:-1]) for each in written), name
        else:
            assert name in written, name


def test_every_file_that_the_readme_names_is_there() -> None:
    for name in set(re.findall(r"`(\w+\.t\.sol)`", README)):
        assert name in FORGE, name
    for name in set(re.findall(r"`((?:tests|scripts|docs)/[\w./-]+)`", README)):
        assert (ROOT / name).exists(), name


def test_the_gas_that_the_readme_tells_is_what_was_measured() -> None:
    measured = (ROOT / "contracts/gas.txt").read_text(encoding="utf-8")
    tables = README.partition("## Gas")[2].partition("What each choice bought")[0]
    told = re.findall(r"\| (\d+,[\d,]+)(?= \|)", tables)
    assert len(told) == 20
    for gas in told:
        assert f" {gas} gas" in measured, gas


@pytest.mark.parametrize(("interface", "name", "doc"), list(_functions()))
def test_every_function_says_what_it_does_and_asks_for(interface: str, name: str, doc: str) -> None:
    if "Effects" in doc and "Requirements" in doc:
        return
    # Variants say what they are a variant of.
    assert re.search(r"\bAs `\w+`|\bsee I[A-Z]\w+\.\w+, which does the same", doc), doc or "no doc"
