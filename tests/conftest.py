"""Fixtures that several test modules share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from core.folders import data_folder

sys.path.insert(0, str(Path(__file__).parent))  # tests import loopback_hub by that name
from loopback_hub import LoopbackHub

SLOW = (
    "pages",
    "docs",
    "deploy",
    "apis/test_kill.py",
    "commands/test_evaluate_killed.py",
    "commands/test_process.py",
    "evaluation/engines/test_ray.py",
    "evaluation/engines/test_local.py",
    "load",
    "runs/test_store.py",
    "training/test_workers.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes long."""
    here = Path(__file__).parent
    assert all((here / part).exists() for part in SLOW), "a path of SLOW has moved"
    for item in items:
        if any((here / part) in (item.path, *item.path.parents) for part in SLOW):
            item.add_marker(pytest.mark.slow)


# The same sums in the same order on every run and machine; the networks of the tests are too small for more threads.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _drawn_seeds_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A seed that is drawn is 0 in a test, so that it is the same on every run."""
    monkeypatch.setattr("core.smoothing.settings.SYSTEM", SimpleNamespace(getrandbits=lambda bits: 0))


@pytest.fixture(scope="session")
def lab_data() -> Path:
    """The folder of data sets that LAB_DATA names; a test that needs it is skipped where there is none."""
    folder = data_folder()
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}: set LAB_DATA to the folder that holds cifar10")
    return folder


@pytest.fixture(scope="session")
def cifar10_folder(lab_data: Path) -> Path:
    """The folder with CIFAR-10's parquet files."""
    folder = lab_data / "cifar10" / "plain_text"
    if not folder.is_dir():
        pytest.skip(f"no CIFAR-10 at {folder}: set LAB_DATA to the folder that holds cifar10")
    return folder


@pytest.fixture(scope="session")
def published_logs() -> Path:
    """The folder with the certification logs of Cohen et al. (2019), beside the data."""
    folder = data_folder().parent / "reference" / "cohen2019"
    if not folder.is_dir():
        pytest.skip(f"no published logs at {folder}: set LAB_DATA to a folder with reference/cohen2019 beside it")
    return folder


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A Hub on loopback, empty and healthy, that this process and the ones it starts use; its cache is the test's own."""
    import huggingface_hub
    from huggingface_hub import constants

    server, home = LoopbackHub(), tmp_path / "hf-home"
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in server.environment(home).items():
        monkeypatch.setenv(name, value)
    # The client library reads the environment once, when it is imported.
    for name, constant in {
        "ENDPOINT": server.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": server.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HOME": str(home),
        "HF_HUB_CACHE": str(home / "hub"),
        "HUGGINGFACE_HUB_CACHE": str(home / "hub"),
        "HF_ASSETS_CACHE": str(home / "assets"),
        "HF_XET_CACHE": str(home / "xet"),
        "HF_TOKEN_PATH": str(home / "token"),
        "HF_STORED_TOKENS_PATH": str(home / "stored_tokens"),
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_OFFLINE": False,
    }.items():
        monkeypatch.setattr(constants, name, constant)
    yield server
    huggingface_hub.close_session()
    server.close()
