"""Fixtures that several test modules share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.evaluation.datasets import data_folder

# The same sums in the same order on every run and machine; the networks of the tests are too small for more threads.
torch.set_num_threads(1)


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
