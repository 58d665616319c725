"""The container, compose file, unit and Space of deploy/: linted, and each command that they run is run here."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from huggingface_hub import SpaceCard
from packaging.requirements import Requirement

from tests.app_process import ROOT, free_port, running_app

DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
REQUIREMENTS = sorted([*ROOT.glob("requirements*.txt"), DEPLOY / "requirements.txt"])
WRITTEN = "from core.runs.store import RunStore; print(RunStore().begin('mine', {}))"
PAGES = """
import sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
for page in ["app.py", *sorted(map(str, Path("pages").glob("*.py")))]:
    at = AppTest.from_file(str(Path("app.py").resolve()), default_timeout=120)
    at = at if page == "app.py" else at.switch_page(page)
    at.run()
    assert not at.exception, [e.value for e in at.exception]
    assert any(c.value.startswith(":material/memory:") for c in at.caption), page
"""


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile in their order, each a word and what follows it."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in lines if line.strip()]


def last(word: str) -> str:
    return [rest for name, rest in instructions() if name == word][-1]


def environment() -> dict[str, str]:
    return dict(part.split("=", 1) for name, rest in instructions() if name == "ENV" for part in shlex.split(rest))


def compose(*files: str, **variables: str) -> subprocess.CompletedProcess[str]:
    arguments = [argument for file in files for argument in ("-f", str(DEPLOY / file))]
    return subprocess.run(
        [str(BIN / "docker-compose"), *arguments, "config", "--format", "json"],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables},
    )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the image has, copied by the Dockerfile's own instructions, as its user may read and not write it."""
    folder = tmp_path_factory.mktemp("image") / "srv" / "lab"
    folder.mkdir(parents=True)
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            for source in sources:
                put = folder / target / (Path(source).name if target.endswith("/") or target == "." else "")
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, put, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    put.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / source, put)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The one folder that may be written to."""
    folder = tmp_path / "lab-home"
    (folder / "tmp").mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def confined() -> tuple[str, ...]:
    """What a command is put behind, to see all files as on a read-only root, but for one folder, and to have no privileges."""
    mount = 'mount --bind "$1" "$1" && mount -o remount,bind,ro / && shift && exec setpriv "$@"'
    drop = ("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--")
    if any(shutil.which(program) is None for program in ("unshare", "setpriv")):
        pytest.skip("no unshare or setpriv is installed (Linux: util-linux)")
    probe = ("unshare", "--map-root-user", "--mount", "sh", "-c", mount, "-")
    tried = subprocess.run([*probe, "/dev/shm", *drop, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"this system lets nobody have mounts of their own ({tried.stderr.strip()[:100]})")
    return (*probe, "HOME", *drop)


def behind(confined: tuple[str, ...], home: Path, command: list[str]) -> list[str]:
    return [*(str(home) if word == "HOME" else word for word in confined), *command]


def own_environment(image: Path, home: Path) -> dict[str, str]:
    """The image's environment, with the test's home for the volume."""
    named = {name: value.replace("/var/lib/lab", str(home)) for name, value in environment().items()}
    folders = {"HOME": str(image), "TMPDIR": str(home / "tmp"), "PYTHONPATH": str(image)}
    return {"PATH": os.environ["PATH"], **named, **folders, "HF_HUB_OFFLINE": "1"}


def test_hadolint_finds_nothing() -> None:
    told = subprocess.run([str(BIN / "hadolint"), str(DEPLOY / "Dockerfile")], capture_output=True, text=True)
    assert (told.returncode, told.stdout) == (0, "")


def test_the_image_is_made_of_files_that_are_there_and_not_ignored() -> None:
    ignored = [
        line for line in (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines() if line[:1] not in ("", "#")
    ]
    taken = {line[1:] for line in ignored if line[0] == "!"}
    assert ignored[0] == "*"
    copied = {
        source
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert copied == taken
    assert all((ROOT / source).exists() for source in copied)
    assert not any(fnmatch(".streamlit/secrets.toml", source) for source in copied)


def test_the_image_runs_as_a_user_who_owns_the_volume_alone() -> None:
    number = last("USER").split(":")[0]
    assert int(number) > 0
    volume = json.loads(last("VOLUME"))
    assert volume == [environment()["LAB_HOME"]]
    assert any(f"install -d -o {number}" in rest and volume[0] in rest for name, rest in instructions() if name == "RUN")
    for name in ("HF_HOME", "TORCH_HOME", "XDG_CACHE_HOME"):
        assert environment()[name].startswith(volume[0] + "/")
    assert not any("chown" in rest for name, rest in instructions() if name == "COPY")


def test_what_is_installed_can_be() -> None:
    (line,) = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    pip = line.partition("&& ")[2]
    assert pip.startswith(".venv/bin/python -m pip ")
    shown = pip.replace(".venv/bin/python -m pip", "printf '%s\\n'", 1)
    index = "https://packages.example/cpu"
    plain, more = (
        subprocess.run(
            ["bash", "-c", shown], env={"TORCH_INDEX": given}, capture_output=True, text=True, check=True
        ).stdout.split()
        for given in ("", index)
    )
    assert [word for word in more if word not in plain] == ["--extra-index-url", index]
    told = subprocess.run(
        [sys.executable, "-m", "pip", *plain, "--dry-run", "--no-index"], cwd=ROOT, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    assert "already satisfied: streamlit" in told.stdout
    assert "already satisfied: psycopg" in told.stdout
    assert "Would install" not in told.stdout


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_requirements_can_be_read_and_are_bounded_above(path: Path) -> None:
    for line in path.read_text("utf-8").splitlines():
        wanted = line.partition(" #")[0].strip()
        if wanted.startswith("-r "):
            assert (path.parent / wanted[3:]).is_file()
        elif wanted and not wanted.startswith("#"):
            operators = {specifier.operator for specifier in Requirement(wanted).specifier}
            assert operators & {"<", "=="}, wanted


def test_the_image_starts_is_healthy_and_writes_to_its_volume_alone(
    image: Path, home: Path, confined: tuple[str, ...], tmp_path: Path
) -> None:
    def run(*command: str) -> subprocess.CompletedProcess[str]:
        words = behind(confined, home, [sys.executable, *command])
        return subprocess.run(words, cwd=image, env=own_environment(image, home), capture_output=True, text=True)

    command = [word for word in json.loads(last("CMD")) if not word.startswith("--server.port")]
    health = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    assert command[0] == health[0] == ".venv/bin/python"
    port, log = free_port(), tmp_path / "log"
    probe = [word.replace("8501", str(port)) for word in health[1:]]
    assert run(*probe).returncode != 0
    started = behind(confined, home, [sys.executable, *command[1:]])
    with running_app(home, started, port=port, environment=own_environment(image, home), folder=image, output=log) as address:
        assert run(*probe).returncode == 0
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200
    assert "Traceback" not in log.read_text("utf-8")
    told = run("-c", PAGES)
    assert told.returncode == 0, told.stderr[-2000:]
    told = run("-c", WRITTEN)
    assert (told.stdout.strip(), told.stderr) == ("1", "")
    assert (home / "runs.sqlite").stat().st_size > 0
    for folder in (image, image / "core", tmp_path, Path.home(), Path("/tmp"), Path("/var/tmp")):
        assert "Error" in run("-c", f"open({str(folder / 'written')!r}, 'w')").stderr, folder


def test_compose_reads_it_and_asks_for_what_is_secret() -> None:
    for given in ({}, {"LAB_STORE_PASSWORD": "x"}, {"LAB_PASSPHRASE": "x"}):
        told = compose("compose.yaml", **given)
        assert told.returncode != 0
        assert "in deploy/.env" in told.stderr
    secret = {"LAB_STORE_PASSWORD": "a$b c", "LAB_PASSPHRASE": "scrypt:15,8,1:x:y"}
    told = compose("compose.yaml", "compose.gpu.yaml", **secret)
    assert told.returncode == 0, told.stderr
    services = json.loads(told.stdout)["services"]
    lab, store = services["lab"], services["store"]
    assert lab["read_only"] is True
    assert all(service["cap_drop"] == ["ALL"] for service in services.values())
    assert all(service["security_opt"] == ["no-new-privileges:true"] for service in services.values())
    assert lab["ports"][0]["host_ip"] == "127.0.0.1"
    assert lab["ports"][0]["target"] == int(last("EXPOSE"))
    assert lab["volumes"][0]["target"] == environment()["LAB_HOME"]
    assert "ports" not in store
    assert list(store["networks"]) == ["inside"]
    assert Path(lab["build"]["context"]) == ROOT
    assert (ROOT / lab["build"]["dockerfile"]).is_file()
    assert set(lab["build"]["args"]) <= {rest.partition("=")[0] for name, rest in instructions() if name == "ARG"}
    assert lab["build"]["args"]["BASE"].startswith("nvidia/cuda:")


def test_the_store_of_compose_is_one_that_the_app_understands(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.runs.schema import default_url

    given = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]["lab"]["environment"]
    monkeypatch.setenv("LAB_STORE", given["LAB_STORE"])
    url = default_url()
    assert (url.drivername, url.host, url.database, url.password) == ("postgresql+psycopg", "store", "lab", None)


def test_the_password_of_the_store_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.runs.store import RunStore
    from tests.runs.postgres_server import programs, running_postgres

    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL is installed here (Debian: apt-get install postgresql)")
    with running_postgres(found) as server:
        from sqlalchemy import make_url

        url = make_url(server.url())
        monkeypatch.setenv("LAB_STORE", url.set(password=None).render_as_string(hide_password=False))
        monkeypatch.setenv("PGPASSWORD", str(url.password))
        store = RunStore()
        assert store.begin("mine", {}) == 1
        store.close()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze is installed (Debian: systemd)")
def test_the_unit_is_one_and_gives_little_away(tmp_path: Path) -> None:
    text = (DEPLOY / "lab.service").read_text("utf-8")
    here = tmp_path / "lab.service"
    here.write_text(text.replace("/srv/lab/.venv/bin/python", sys.executable).replace("/srv/lab", str(ROOT)))
    told = subprocess.run(["systemd-analyze", "verify", str(here)], capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (0, "")
    # The threshold is in tenths: 2.0 of 10.
    secure = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(here)]
    told = subprocess.run(secure, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout[-200:]


def test_the_unit_starts_the_app_for_this_machine_alone(home: Path) -> None:
    text = (DEPLOY / "lab.service").read_text("utf-8")
    command = shlex.split(re.findall(r"^ExecStart=(.*)$", text, flags=re.MULTILINE)[0])
    assert command[0] == "/srv/lab/.venv/bin/python"
    assert "--server.address=localhost" in command
    given = dict(part.split("=", 1) for part in shlex.split(re.findall(r"^Environment=(.*)$", text, flags=re.MULTILINE)[0]))
    assert set(given) <= set(environment())
    assert {Path(value).parts[:4] for value in given.values() if value[0] == "/"} == {("/", "var", "lib", "lab")}
    words = [word for word in command[1:] if not word.startswith("--server.port")]
    with running_app(home, [sys.executable, *words]) as address, urllib.request.urlopen(f"{address}/_stcore/health") as answer:
        assert answer.read() == b"ok"


def test_the_spaces_head_names_the_port_of_the_image() -> None:
    card = SpaceCard((DEPLOY / "space.md").read_text("utf-8"))
    assert (card.data.sdk, card.data.app_port, card.data.license) == ("docker", int(last("EXPOSE")), "mit")
    assert len(card.data.short_description) <= 60
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {card.data.to_dict()["colorFrom"], card.data.to_dict()["colorTo"]} <= colours
    assert last("USER").startswith("1000"), "a Space runs as 1000"
