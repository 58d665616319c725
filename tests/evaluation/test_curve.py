"""Logs and certified accuracy, against the published logs and by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy import stats

from core.errors import LabError
from core.evaluation.curve import summarise
from core.evaluation.log import HEADER, LogLine, read_log

# Cohen et al. (2019), CIFAR-10 ResNet-110, 500 images: sigma -> (clean, ACR, abstained, {r: certified}).
PUBLISHED = {
    "0.25": (0.748, 0.429, 0.086, {0.25: 0.600, 0.5: 0.428, 0.75: 0.266}),
    "0.50": (0.652, 0.538, None, {0.25: 0.546, 0.5: 0.414, 0.75: 0.320, 1.0: 0.234, 1.25: 0.152, 1.5: 0.094}),
}


@pytest.mark.parametrize("sigma", PUBLISHED)
def test_published_figures_come_out_of_the_published_logs(published_logs: Path, sigma: str) -> None:
    clean, acr, abstained, certified = PUBLISHED[sigma]
    lines = read_log(published_logs / f"cifar10_resnet110_noise_{sigma}_test_sigma_{sigma}.tsv")
    summary = summarise(lines, list(certified))
    assert summary.images == 500
    assert summary.clean == pytest.approx(clean, abs=5e-4)
    assert summary.acr == pytest.approx(acr, abs=5e-4)
    if abstained is not None:
        assert summary.abstained == pytest.approx(abstained, abs=5e-4)
    assert summary.certified == pytest.approx(certified, abs=5e-4)


def test_only_right_answers_count_and_abstaining_is_wrong() -> None:
    lines = [
        LogLine(0, 1, 1, 0.5, True, 0.1),
        LogLine(1, 1, 2, 0.9, False, 0.1),
        LogLine(2, 1, -1, 0.0, False, 0.1),
        LogLine(3, 1, 1, 0.25, True, 0.1),
    ]
    summary = summarise(lines, [0.25, 0.5, 0.75])
    assert summary.certified == {0.25: 0.5, 0.5: 0.25, 0.75: 0.0}
    assert (summary.clean, summary.abstained) == (0.5, 0.25)
    assert summary.acr == pytest.approx(0.75 / 4)
    low, high = summary.interval[0.25]
    assert stats.binom.sf(1, 4, low) == pytest.approx(0.025)
    assert stats.binom.cdf(2, 4, high) == pytest.approx(0.025)


def test_a_line_survives_writing_and_reading(tmp_path: Path) -> None:
    line = LogLine(123, 4, -1, 0.123456, False, 7.25)
    path = tmp_path / "log.tsv"
    path.write_text("\t".join(HEADER) + "\n" + line.text() + "\n")
    assert read_log(path) == [line]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "its first line should be"),
        ("a\tb\n", "its first line should be"),
        ("\t".join(HEADER) + "\n1\t2\t3\n", "line 2"),
        ("\t".join(HEADER) + "\n1\t2\t2\t0.1\t1\t0:00:01\n1\t2\tx\t0.1\t1\t1\n", "line 3"),
        ("\t".join(HEADER) + "\n1\t2\t2\tnan\t1\t1\n", "radius nan"),
    ],
)
def test_broken_logs_are_told_by_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "log.tsv"
    path.write_text(text)
    with pytest.raises(LabError, match=told):
        read_log(path)
