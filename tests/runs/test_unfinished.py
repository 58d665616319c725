"""Work that was cut short: offered once its process is gone, to one at a time, and forgotten when it has ended."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import LabError
from core.runs import unfinished as module
from core.runs.unfinished import remembered, unfinished

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Lab's folder of this test."""
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def leave(kind: str = "training", number: int = 0, **more: str) -> None:
    """As a kill would."""
    with remembered(kind, {"number": number, **more}) as kept:
        kept.stays = True


def test_work_that_ends_leaves_nothing(home: Path) -> None:
    assert unfinished("training") == []
    assert not home.exists()
    with remembered("training", {"name": "mine"}) as kept:
        assert kept.folder is not None
        (kept.folder / "checkpoint.pt").write_bytes(b"1")
        assert unfinished("training") == []
    with pytest.raises(LabError, match="a mistake"), remembered("training", {}):
        raise LabError("a mistake")
    assert unfinished("training") == []
    assert not list((home / "unfinished" / "training").iterdir())


def test_work_that_fails_with_something_to_go_on_from_is_offered() -> None:
    def fail() -> None:
        with remembered("training", {"name": "mine"}) as kept:
            assert kept.folder is not None
            (kept.folder / "checkpoint.pt").write_bytes(b"1")
            raise MemoryError

    with pytest.raises(MemoryError):
        fail()
    (left,) = unfinished("training")
    assert left.asked == {"name": "mine"}
    assert unfinished("api") == []
    with remembered("training", left.asked, left) as again:
        assert again.folder == left.folder
        assert (left.folder / "checkpoint.pt").read_bytes() == b"1"
        assert unfinished("training") == []
        with pytest.raises(LabError, match="Somebody goes on with it"), remembered("training", left.asked, left):
            pass
        with pytest.raises(LabError, match="Somebody goes on with it"):
            left.drop()
    assert unfinished("training") == []
    with pytest.raises(LabError, match="not there any more"), remembered("training", left.asked, left):
        pass
    assert not left.folder.exists()


def test_kill_9_leaves_what_was_asked(home: Path) -> None:
    code = (
        "import time; from core.runs.unfinished import remembered\n"
        "with remembered('training', {'name': 'mine'}):\n    print('begun', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        assert unfinished("training") == []  # another process is on it
        process.send_signal(signal.SIGKILL)
        process.wait()
    (left,) = unfinished("training")
    assert left.asked == {"name": "mine"}
    left.drop()
    assert unfinished("training") == []


def test_the_oldest_make_room(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LEFT", 3)
    for number in range(5):
        leave(number=number)
    assert sorted(work.asked["number"] for work in unfinished("training")) == [2, 3, 4]
    assert len(list((home / "unfinished" / "training").iterdir())) == 3


def test_one_visitor_does_not_push_out_what_another_left(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LEFT", 2)
    leave(number=0, owner="ada")
    for number in range(1, 5):
        leave(number=number, owner="bob")
    assert sorted(work.asked["number"] for work in unfinished("training")) == [0, 3, 4]


def test_what_is_damaged_is_passed_over(home: Path) -> None:
    leave(number=1)
    for number, text in enumerate(("", "[", "[1]", "\0")):
        folder = home / "unfinished" / "training" / f"damaged-{number}"
        folder.mkdir()
        (folder / "asked.json").write_text(text)
    (home / "unfinished" / "training" / "file").write_text("")
    assert [work.asked for work in unfinished("training")] == [{"number": 1}]


def test_a_folder_that_cannot_be_written_keeps_no_work_from_being_done(home: Path) -> None:
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file where the folder should be")
    with remembered("training", {"name": "mine"}) as kept:
        assert kept.folder is None
        assert kept.trouble is not None
        assert "a crash would lose it" in kept.trouble
    assert unfinished("training") == []
