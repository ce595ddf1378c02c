import pytest

from tidegate.domain.node_policy import Label, contradiction, wanted_label

NONE = Label()


def ours(value: str) -> Label:
    return Label(value, ours=True)


def theirs(value: str) -> Label:
    return Label(value, ours=False)


@pytest.mark.parametrize(
    ("label", "answer", "exclusive", "wanted"),
    [
        (NONE, "static", None, "static"),
        (theirs("none"), "static", None, "static"),
        (ours("static"), "none", True, "none"),
        (NONE, None, None, "unknown"),
        (ours("static"), None, None, "static"),
        (theirs("unknown"), None, None, "unknown"),
        (NONE, None, True, "static"),
        (ours("unknown"), None, True, "static"),
        (ours("static"), None, False, "none"),
        (theirs("static"), None, False, "static"),
        (theirs("none"), None, True, "none"),
    ],
)
def test_the_kubelet_wins_then_an_administrator_then_a_workers_evidence(
    label: Label, answer: str | None, exclusive: bool | None, wanted: str
) -> None:
    assert wanted_label(label, answer, exclusive) == wanted


def test_only_an_administrators_label_can_be_contradicted() -> None:
    assert "no cores of its own" in (contradiction(theirs("static"), None, exclusive=False) or "")
    assert "labelled it none" in (contradiction(theirs("none"), None, exclusive=True) or "")
    assert contradiction(theirs("static"), None, exclusive=True) is None
    assert contradiction(theirs("static"), None, exclusive=None) is None
    assert contradiction(theirs("static"), "none", exclusive=False) is None
    assert contradiction(ours("static"), None, exclusive=False) is None
