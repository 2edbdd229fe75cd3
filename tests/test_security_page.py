"""The page about security points at code and tests that are there, and has every item of the standard once."""

import re

from conftest import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
# items of levels 1 and 2 of OWASP ASVS 5.0.0, by chapter
ITEMS = {1: 27, 2: 11, 3: 19, 4: 10, 5: 9, 6: 35, 7: 18, 8: 7, 9: 7, 10: 29, 11: 14, 12: 9, 13: 13, 14: 9, 15: 13, 16: 16, 17: 7}


def test_every_item_has_one_row_that_says_whether_it_is_met():
    rows = re.findall(r"^\| (\d+)\.(\d+)\.(\d+) \| (met|partly|\*\*not met\*\*|does not apply) \| (.+) \|$", PAGE, re.MULTILINE)
    numbers = [row[:3] for row in rows]
    assert len(numbers) == len(set(numbers))
    assert len(numbers) == len(re.findall(r"^\| \d+\.\d+\.\d+ \|", PAGE, re.MULTILINE)), "a row with another word"
    counted = {chapter: sum(int(number[0]) == chapter for number in numbers) for chapter in ITEMS}
    assert counted == ITEMS


def test_what_it_points_at_is_there():
    paths = set(re.findall(r"`((?:crates|tests|console|docs)/[^`]+|Cargo\.(?:toml|lock)|deny\.toml)`", PAGE))
    assert len(paths) > 30
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
