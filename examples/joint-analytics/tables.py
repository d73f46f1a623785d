"""The two tables and what is computed from them, in pandas; nothing here knows of requests."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd

GROUP_PERSONS_MIN = 5
"""Smaller groups are not shown: who knows the others of a group would know the last one."""

ROWS_COUNT_MAX = 20_000

# Column by column, what a cell must match as a whole.
COLUMNS = {
    "hospital": {"person": r"P-[0-9]{1,9}", "diagnosis": r"[a-z ]{1,40}", "age": r"[0-9]{1,3}"},
    "insurer": {"person": r"P-[0-9]{1,9}", "region": r"[a-z ]{1,40}", "cost": r"[0-9]{1,9}"},
}
NUMBERS = ("age", "cost")


class TableError(ValueError):
    """A table that cannot be used; the message is for who sent it."""


def parse(party: str, content: bytes) -> pd.DataFrame:
    """A party's table. Raises TableError if it is none.

    Each person has one row: with two, a party could make a group of one person look large.
    """
    columns = COLUMNS[party]
    try:
        table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    except ValueError as error:
        # Parser errors and those of the encoding are kinds of it.
        raise TableError(f"no CSV table: {str(error).strip()}") from error
    # With a cell too many in each row, pandas makes the first ones an index.
    if list(table.columns) != list(columns) or not isinstance(table.index, pd.RangeIndex):
        raise TableError(f"the columns are {','.join(columns)}, in this order")
    if not 1 <= len(table) <= ROWS_COUNT_MAX:
        raise TableError(f"{len(table)} rows; a table has 1 to {ROWS_COUNT_MAX}")
    for name, pattern in columns.items():
        wrong = ~table[name].str.fullmatch(pattern)
        if wrong.any():
            raise TableError(f"row {int(wrong.idxmax()) + 1}: {name} must match {pattern}")
    twice = table["person"].duplicated()
    if twice.any():
        raise TableError(f"row {int(twice.idxmax()) + 1}: this person has a row already")
    return table.astype({name: "int64" for name in NUMBERS if name in columns})


def analyse(hospital: pd.DataFrame, insurer: pd.DataFrame) -> list[dict[str, Any]]:
    """Persons, mean age and mean cost by diagnosis and region, of persons who are in both tables.

    Groups below the minimum are put together as one, which is shown if it is large enough itself.
    """
    joined = hospital.merge(insurer, on="person", validate="one_to_one")
    keys = ["diagnosis", "region"]
    size = joined.groupby(keys)["person"].transform("size")
    joined.loc[size < GROUP_PERSONS_MIN, keys] = "(other)"
    groups = joined.groupby(keys, as_index=False).agg(
        persons=("person", "size"), mean_age=("age", "mean"), mean_cost=("cost", "mean")
    )
    shown = groups[groups["persons"] >= GROUP_PERSONS_MIN]
    rows: list[dict[str, Any]] = shown.round({"mean_age": 1, "mean_cost": 0}).to_dict("records")
    return rows
