"""What a person reads, whole, in each state. ``python -m tests.unit.views.test_golden`` writes it anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.views.scenes import SCENES
from tidegate.views.explanation import explain
from tidegate.views.layout import WIDTH, as_text

FOLDER = Path(__file__).parent / "golden"
PAGE = Path(__file__).parents[3] / "docs/explain.md"


def _file(name: str) -> Path:
    return FOLDER / f"{name}.txt"


@pytest.mark.parametrize("name", SCENES)
def test_it_reads_as_it_should(name: str) -> None:
    assert as_text(explain(SCENES[name]())) == _file(name).read_text()


@pytest.mark.parametrize("name", SCENES)
def test_no_line_is_too_long_and_none_ends_in_blanks(name: str) -> None:
    lines = _file(name).read_text().split("\n")
    assert max(len(line) for line in lines) <= WIDTH
    assert all(line == line.rstrip() for line in lines)


def test_every_file_belongs_to_a_scene() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(SCENES)


def test_each_example_of_the_page_is_what_is_really_printed() -> None:
    examples = [block for block in PAGE.read_text().split("```") if " in namespace " in block]
    printed = {_file(name).read_text().strip() for name in SCENES}
    assert len(examples) >= 4
    for block in examples:
        text = block.partition("\n")[2]
        text = text.partition("\n")[2] if text.startswith("$ ") else text
        assert text.strip() in printed


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for scene, look in SCENES.items():
        _file(scene).write_text(as_text(explain(look())))
