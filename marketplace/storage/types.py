"""Column types."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

# What an unsigned 256-bit integer needs in decimals.
_DIGITS = 78


class Wei(sa.types.TypeDecorator[int]):
    """An amount in wei: NUMERIC where the database has it exactly, else text of fixed length.

    The text form sorts like the number, but sums are for Python: SQLite would add doubles.
    """

    impl = sa.Numeric(_DIGITS, 0)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.String(_DIGITS))
        return dialect.type_descriptor(sa.Numeric(_DIGITS, 0))

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        if value < 0:
            raise ValueError(f"an amount of {value} wei")
        return f"{value:0{_DIGITS}d}" if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> int | None:
        return None if value is None else int(value)


class SignedWei(sa.types.TypeDecorator[int]):
    """An amount in wei of either sign; as text, a sign and digits of fixed length."""

    impl = sa.Numeric(_DIGITS, 0)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.String(_DIGITS + 1))
        return dialect.type_descriptor(sa.Numeric(_DIGITS, 0))

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        return f"{value:+0{_DIGITS + 1}d}" if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> int | None:
        return None if value is None else int(value)


class Total(Wei):
    """A sum of numbers of 64 bits, which may need more of them."""

    cache_ok = True
