"""Every situation of the list of cases that this project claims has a test with its number."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
CLAIMED = set(range(1, 61))


def numbers_in_names() -> set[int]:
    """Return the numbers in names such as ``test_case_08_11_reload``."""
    found: set[int] = set()
    for file in HERE.glob("test_cases_*.py"):
        for name in re.findall(
            r"^def test_case_((?:\d\d_)+)", file.read_text("utf-8"), re.MULTILINE
        ):
            found.update(int(number) for number in name.split("_") if number)
    return found


def test_each_claimed_case_has_a_test_with_its_number():
    """A case without a test is missed by name."""
    assert set() == CLAIMED - numbers_in_names()


def test_no_test_has_a_number_that_is_not_claimed():
    """A number that the list does not have is a slip of the pen."""
    assert set() == numbers_in_names() - CLAIMED
