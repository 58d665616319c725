"""The engine of a Ray cluster: two workers of one that `ray start` started here, for this module alone."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.__main__ import main
from core.errors import LabError
from core.evaluation.engines import make_engine
from core.evaluation.engines.ray import RayEngine, certifier_class
from core.evaluation.log import read_image_votes, read_log
from tests.evaluation.engines.engine_tasks import content, one_by_one, process_of, save_classifier, small_task

# Ray's own threads and sockets end after the interpreter has looked.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

START_SECONDS = 180


@pytest.fixture(scope="module", autouse=True)
def folder() -> Iterator[Path]:
    """For sockets, which tmp_path is too long for; and for a token that only this module knows, without which the cluster
    would do what anybody on the network asks. Ray reads its settings once, when it is imported."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install -r requirements-ray.txt")
    folder = Path(tempfile.mkdtemp(prefix="ray"))
    token = folder / "token"
    token.touch(0o600)
    token.write_text(secrets.token_hex(32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # else a busy machine leaves nothing for workers
        patch.delenv("RAY_ADDRESS", raising=False)
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[str]:
    """HOST:PORT of a cluster of two CPUs."""
    command = [
        sys.executable,
        "-c",
        "from ray.scripts.scripts import main; main()",
        "start",
        "--head",
        "--block",
        "--port=0",
        "--num-cpus=2",
        "--num-gpus=0",
        "--include-dashboard=false",
        "--disable-usage-stats",
        f"--temp-dir={folder}",
        "--object-store-memory=100000000",
        "--node-ip-address=127.0.0.1",
    ]
    with (folder / "out").open("w") as out:
        head = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder, start_new_session=True)
    try:
        yield _address(folder, head)
    finally:
        head.terminate()  # with --block it ends what it started
        try:
            head.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(head.pid, signal.SIGKILL)
            head.wait()


def _address(folder: Path, head: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and head.poll() is None:
        if "Ray runtime started" in (folder / "out").read_text():
            return (folder / "ray_current_cluster").read_text().strip()
        time.sleep(0.2)
    raise AssertionError(f"Ray did not start: {(folder / 'out').read_text()[-2000:]}")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_classifier(tmp_path_factory.mktemp("models") / "torn")


def test_a_log_begun_here_goes_on_in_ray_and_ends_the_same(
    cluster: str, reference: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, shared = tmp_path / "whole.tsv", tmp_path / "shared.tsv"

    def command(out: Path, *more: str) -> list[str]:
        return [
            "evaluate",
            "--dataset",
            "shapes",
            "--stop",
            "200",
            "--every",
            "20",
            "--classifier",
            reference,
            "--denoiser",
            "none",
            "--n",
            "100",
            "--n0",
            "10",
            "--device",
            "cpu",
            "--out",
            str(out),
            *more,
        ]

    assert main(command(whole)) == 0
    assert main(command(shared)) == 0
    text = shared.read_text()
    shared.write_text(text[: text.index("\n60\t") + 1])
    assert main(command(shared, "--resume", "--engine", "ray", "--ray-address", cluster)) == 0
    assert [line[:5] for line in map(str.split, shared.read_text().splitlines())] == [
        line[:5] for line in map(str.split, whole.read_text().splitlines())
    ]
    assert [line.idx for line in read_log(shared).lines()] == list(range(0, 200, 20))
    assert list(read_image_votes(shared).items()) == list(read_image_votes(whole).items())
    assert "7/7" in capsys.readouterr().err


@pytest.fixture(scope="module")
def engine(cluster: str) -> Iterator[RayEngine]:
    with RayEngine(cluster, workers=2) as engine:
        yield engine


def test_a_killed_worker_costs_nothing_that_is_finished(engine: RayEngine, reference: str) -> None:
    assert engine.device("auto") == engine.device("cpu") == "cpu"
    task = small_task(reference)
    notices: list[str] = []
    found, killed = [], 0
    for each in engine.run(task, on_notice=notices.append):
        found.append(content(each))
        if not killed:
            killed = process_of(engine)
            os.kill(killed, signal.SIGKILL)
    assert sorted(found, key=lambda line: int(str(line[0]))) == one_by_one(task)
    assert [notice for notice in notices if f"Lost process {killed} on {socket.gethostname()}" in notice]


def test_a_stop_ends_it(engine: RayEngine, reference: str) -> None:
    task = small_task(reference, images=30)
    found, asked = [], 0.0
    for each in engine.run(task, should_stop=lambda: bool(found)):
        asked = asked or time.monotonic()
        found.append(each)
    assert time.monotonic() - asked < 15
    assert 1 <= len(found) < len(task.data)


def test_other_weights_are_refused(engine: RayEngine, tmp_path: Path) -> None:
    task = small_task(save_classifier(tmp_path / "model"), images=4, n=100)
    save_classifier(tmp_path / "model", seed=1)
    with pytest.raises(LabError, match="other weights for 'local/"):
        list(engine.run(task))


def test_more_workers_or_other_devices_than_the_cluster_has(engine: RayEngine, reference: str) -> None:
    with RayEngine(workers=3) as other, pytest.raises(LabError, match="The Ray cluster has 2 CPUs for 3 workers"):
        list(other.run(small_task(reference, images=4, n=100)))
    with pytest.raises(LabError, match="The Ray cluster has no GPU"):
        engine.device("cuda")
    with pytest.raises(LabError, match="Ray gives each worker a device of its own, and this is 'cuda:1'"):
        engine.device("cuda:1")
    with pytest.raises(LabError, match="Unknown device 'tpu'"):
        engine.device("tpu")


def test_a_node_without_the_lab_says_so(tmp_path: Path) -> None:
    from ray import cloudpickle

    (tmp_path / "class").write_bytes(cloudpickle.dumps(certifier_class()))
    script = (
        "import sys, pathlib; sys.path[:] = [p for p in sys.path if not (pathlib.Path(p) / 'core' / 'cli.py').exists()]\n"
        "from ray import cloudpickle; print(cloudpickle.loads(pathlib.Path('class').read_bytes())().load(b'', {}, 'cpu'))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert "cannot import the Lab (No module named 'core" in done.stdout
    assert done.stdout.startswith("('mistake', ")


def test_an_address_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(LabError, match=f"No Ray cluster can be reached at {address}"):
            RayEngine(address).__enter__()
    assert time.monotonic() - began < 20


def test_without_ray_the_sentence_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["evaluate", "--dataset", "shapes", "--out", "none.tsv", "--engine", "ray"]) == 2
    assert "pip install -r requirements-ray.txt" in capsys.readouterr().err
    assert make_engine("local") is not None


def test_a_cluster_started_for_the_run_ends_with_it(reference: str, tmp_path: Path, folder: Path) -> None:
    # In a process of its own: this one is in the cluster of the module.
    out = tmp_path / "log.tsv"
    command = [
        sys.executable,
        "-m",
        "core",
        "evaluate",
        "--dataset",
        "shapes",
        "--stop",
        "40",
        "--every",
        "20",
        "--classifier",
        reference,
        "--denoiser",
        "none",
        "--n",
        "100",
        "--n0",
        "10",
        "--engine",
        "ray",
        "--workers",
        "1",
        "--device",
        "cpu",
        "--out",
        str(out),
    ]
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "RAY_TMPDIR": str(folder)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.idx for line in read_log(out).lines()] == [0, 20]
