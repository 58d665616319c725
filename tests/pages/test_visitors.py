"""Two visitors of a served app: each finds their own, looks at what is shared, and changes and spends nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from core.apis.ledger import ANSWERED, Ledger, QueryKey
from core.folders import answers_file
from core.models.networks import build
from core.models.storage import ModelConfig
from core.runs.store import RunStore
from core.runs.unfinished import remembered
from core.training.trained import TrainedModel, save_trained, trained_models
from core.ui import login
from core.ui.apis import controls
from core.visitor import Visitor, visitor_named
from tests.pages.test_login import ADA, OIDC, ROOT
from tests.runs.store_writers import image

BOB = ADA | {"sub": "2", "email": "bob@example.org"}
RUNS, TRAIN, APIS, CERTIFY = (f"pages/{name}.py" for name in ("3_Trade-offs", "6_Train", "5_Vision_APIs", "1_Certify"))

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def visitor_of(user: dict[str, Any]) -> Visitor:
    """As the pages make one of what a provider says."""
    return visitor_named(user["email"], user["email"], "oidc", user["iss"], user["sub"])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LAB_STORE", "LAB_PASSPHRASE", "LAB_VISITOR_BUDGET", "LAB_SERVER_BUDGET", "LAB_MAX_BUDGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def store() -> Iterator[RunStore]:
    opened = RunStore()
    yield opened
    opened.close()


@pytest.fixture
def adas_run(store: RunStore) -> int:
    """A stopped run of hers."""
    own = store.used_by(visitor_of(ADA))
    run = own.begin("hers", {"sigma": 0.25, "dataset": "shapes"}, 5)
    own.add(run, [image(i) for i in range(3)])
    own.finish(run, "stopped")
    return run


@pytest.fixture
def adas_model() -> TrainedModel:
    torch.manual_seed(0)
    options = {"widths": [4, 8]}
    config = ModelConfig("denoiser", "unet", options, input_size=(32, 32), sigma_range=(0.0, 1.0))
    return save_trained(build("denoiser", "unet", options), config, {"objective": "mse"}, "hers-1", visitor=visitor_of(ADA))


def page(path: str, user: dict[str, Any], **query: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60).switch_page(path)
    at.secrets["auth"] = OIDC
    at.user.update(user)
    for name, value in query.items():
        at.query_params[name] = value
    return checked(at.run())


def checked(at: AppTest) -> AppTest:
    assert not at.exception, [e.value for e in at.exception]
    return at


def labels(at: AppTest) -> set[str]:
    return {b.label for b in at.button}


def press(at: AppTest, key: str) -> AppTest:
    at.button(key=key).click()
    return checked(at.run())


def said(at: AppTest) -> str:
    return " ".join(str(e.value) for kind in (at.error, at.info, at.caption, at.success, at.warning) for e in kind)


def test_a_run_is_its_makers_until_it_is_shared_and_then_to_be_looked_at(store: RunStore, adas_run: int) -> None:
    assert "Nothing here yet" in said(page(RUNS, BOB, view="runs"))
    at = page(RUNS, ADA, view="runs")
    assert list(at.dataframe[0].value["whose"]) == ["yours"]
    assert {"Rename", "Delete for good", "Resume: 2 images are missing"} <= labels(at)
    at.toggle(key=f"share-{adas_run}-False").set_value(True)
    checked(at.run())
    assert store.run(adas_run).shared
    at = page(RUNS, BOB, view="runs")
    assert list(at.dataframe[0].value["whose"]) == ["another visitor's"]
    assert labels(at) & {"Rename", "Delete for good", "Resume: 2 images are missing"} == set()
    assert "It is another visitor's: shared to be looked at." in said(at)
    assert page(RUNS, BOB, logs="none", published="none", runs=f"run-{adas_run}").multiselect(key="runs").value


@pytest.mark.parametrize("shared", [False, True])
def test_a_button_that_is_not_drawn_and_is_pressed_all_the_same_changes_nothing(
    shared: bool, store: RunStore, adas_run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.share(adas_run, shared)
    # As if the page drew for Bob what it draws for Ada, and he pressed it: the store itself refuses.
    monkeypatch.setattr("core.ui.tradeoffs.runs.visitor", lambda: visitor_of(ADA))
    at = page(RUNS, BOB, view="runs")
    if not shared:
        assert "Nothing here yet" in said(at)
        return
    at = press(at, f"delete-{adas_run}")
    assert "belongs to another visitor" in said(at)
    assert store.run(adas_run).images == 3


def test_a_denoiser_is_its_makers_until_it_is_shared(adas_model: TrainedModel, home: Path) -> None:
    folder = f"local/{home / 'models' / adas_model.name}"
    menu = {"classifier": "bundled/cifar10", "auto": "false"}
    for reference in (adas_model.ref, folder):  # neither by its name nor as a folder of this machine
        at = page(CERTIFY, BOB, **menu, denoiser=reference)
        denoisers = next(box for box in at.selectbox if box.label == "Denoiser")
        assert adas_model.name not in str(denoisers.options)
        assert adas_model.name not in str(denoisers.value)
    assert adas_model.name not in str(page(TRAIN, BOB).main)
    at = page(CERTIFY, ADA, **menu)
    assert f"{adas_model.name} (trained here)" in next(box for box in at.selectbox if box.label == "Denoiser").options
    at = page(TRAIN, ADA)
    assert "Delete for good" in labels(at)
    at.toggle(key=f"share-kept-{adas_model.name}-False").set_value(True)
    checked(at.run())
    assert trained_models()[0].shared
    at = page(TRAIN, BOB)
    assert adas_model.name in str(at.main)
    assert "Delete for good" not in labels(at)


def test_what_a_visitor_may_spend_is_shown_and_bounds_the_plan(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "endpoints").mkdir()
    (home / "endpoints" / "paid.toml").write_text('url = "http://127.0.0.1:9/classify"\nprice = 0.5\nrate = 100\n')
    (home / "endpoints" / "hers.toml").write_text('url = "http://127.0.0.1:9/x"\nvisitors = ["ada@example.org"]\n')
    monkeypatch.setenv("LAB_VISITOR_BUDGET", "1.5")
    book = Ledger(answers_file())
    own = book.paid_by(visitor_of(ADA), controls.Allowance(1.5, 100.0))
    own.begin("x", {})
    own.reserve(QueryKey("x", "select", 0), "abc", price=1.0, budget=5.0)
    own.settle(QueryKey("x", "select", 0), ANSWERED)
    paid = f"api/http/{home / 'endpoints' / 'paid.toml'}"
    left: dict[str, Callable[[], AppTest]] = {
        "$0.50": lambda: page(APIS, ADA, api=paid),
        "$1.50": lambda: page(APIS, BOB, api=paid),
    }
    for dollars, drawn in left.items():
        at = drawn()
        assert f"You may spend {dollars} more within 30 days." in said(at)
        assert not at.dataframe, "the price is the operator's to set"
        assert "$0.5 a query" in said(at)
    assert [name for name in page(APIS, ADA).selectbox[0].options if "HTTP" in name] == ["HTTP: hers", "HTTP: paid"]
    assert [name for name in page(APIS, BOB).selectbox[0].options if "HTTP" in name] == ["HTTP: paid"]
    assert "You may spend" not in said(page(APIS, BOB, api="api/demo"))
    book.close()


@pytest.mark.parametrize(
    ("path", "box", "forged"),
    [
        (CERTIFY, "Classifier", "local//etc"),
        (CERTIFY, "Denoiser", "trained/hers-1"),
        (CERTIFY, "Denoiser", "local/{home}/models/hers-1"),
        (APIS, "Vision API", "api/http//tmp/own.toml"),
        (APIS, "Vision API", "api/http/{home}/endpoints/hers.toml"),
    ],
)
def test_an_option_that_no_menu_offered_is_not_taken(
    path: str, box: str, forged: str, home: Path, adas_model: TrainedModel
) -> None:
    """As a tab that speaks the protocol by itself would send it."""
    (home / "endpoints").mkdir()
    (home / "endpoints" / "hers.toml").write_text('url = "http://127.0.0.1:9/x"\nvisitors = ["ada@example.org"]\n')
    at = page(path, BOB, auto="false")
    menu = next(one for one in at.selectbox if one.label == box)
    before, value = menu.value, forged.replace("{home}", str(home))
    menu.options.append(value)
    menu.set_value(value)
    assert menu._widget_state.string_value == value
    checked(at.run())
    assert next(one for one in at.selectbox if one.label == box).value == before
    assert not at.error


def test_a_budget_beyond_the_limit_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_MAX_BUDGET", "2")
    at = page(APIS, ADA)
    at.number_input(key="api-budget").set_value(1e6)
    checked(at.run())
    assert at.number_input(key="api-budget").value <= 2


@pytest.mark.parametrize("value", ["ten", "-1", "nan", "inf"])
def test_a_limit_that_is_no_sum_lets_nothing_be_spent(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "others_come_in", lambda: True)
    monkeypatch.setattr(controls, "visitor", lambda: visitor_of(ADA))
    monkeypatch.setenv("LAB_SERVER_BUDGET", value)
    allowance = controls.allowance("api/google")
    assert allowance is not None
    assert (allowance.each, allowance.everybody) == (20.0, 0.0)


def test_alone_on_this_machine_nothing_is_held_back(store: RunStore, adas_run: int, adas_model: TrainedModel) -> None:
    at = checked(AppTest.from_file(ROOT / "app.py", default_timeout=60).switch_page(RUNS).run())
    at.query_params["view"] = "runs"
    at = checked(at.run())
    assert login.visitor().operates
    assert {"Rename", "Delete for good"} <= labels(at)
    assert "whose" not in at.dataframe[0].value
    assert not at.toggle(key="presenter-mode").value
    assert not [t for t in at.toggle if str(t.key).startswith("share-")]
    assert controls.allowance("api/google") is None


def test_what_was_cut_short_is_offered_to_who_began_it_alone() -> None:
    for kind in ("training", "api"):
        with remembered(kind, {"name": "hers", "owner": visitor_of(ADA).key}) as kept:
            kept.stays = True
    for path in (TRAIN, APIS):
        assert {"Go on", "Drop it"} <= labels(page(path, ADA))
        assert labels(page(path, BOB)) & {"Go on", "Drop it"} == set()
