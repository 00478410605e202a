"""Argo CD's health check and actions, over a TrainingJob in every state; laid out as in Argo CD's own repository."""

import copy
import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa.lua51 import LuaError

from training_operator.observe import Observed
from training_operator.plan import decide
from training_operator.status.derive import derive
from trainingjob_api.status import ConditionType
from unit.delivery.argocd import run
from unit.delivery.recorded import FOLDER, recorded, text
from unit.operator.test_status import CASES

SCRIPTS = FOLDER.parent
ARGOCD = SCRIPTS.parents[2]
HEALTH = (SCRIPTS / "health.lua").read_text()
HEALTH_TESTS = yaml.safe_load((SCRIPTS / "health_test.yaml").read_text())["tests"]
ACTION_TESTS = yaml.safe_load((SCRIPTS / "actions/action_test.yaml").read_text())
RESTARTED = "trainingjob.dev/restarted-at"

Raw = dict[str, Any]


def load(path: Path) -> Raw:
    raw: Raw = yaml.safe_load(path.read_text())
    return raw


@pytest.mark.parametrize("test", HEALTH_TESTS, ids=lambda test: Path(test["inputPath"]).stem)
def test_health(test: Raw) -> None:
    assert run(HEALTH, load(SCRIPTS / test["inputPath"])) == test["healthStatus"]


def test_every_state_has_a_test_of_its_health() -> None:
    assert sorted(test["inputPath"] for test in HEALTH_TESTS) == sorted(f"testdata/{p.name}" for p in FOLDER.iterdir())


@pytest.mark.parametrize("observed", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_health_says_what_the_conditions_say(observed: Observed) -> None:
    status = derive(observed, decide(observed))
    raw = {"metadata": {"generation": 1}, "spec": {}, "status": status.to_json_object()}
    health = run(HEALTH, raw)
    expected = {
        ConditionType.COMPLETE: "Healthy",
        ConditionType.SUSPENDED: "Suspended",
        ConditionType.STALLED: "Degraded",
        ConditionType.RECONCILING: "Progressing",
        ConditionType.RUNNING: "Progressing",
    }
    assert health["status"] == next(word for type, word in expected.items() if status.is_true(type))
    assert health["message"]


@pytest.mark.parametrize("script", ["return ('a'):upper()", "return string.upper('a')", "return os.getenv('HOME')"])
def test_scripts_have_no_more_of_lua_than_in_argo_cd(script: str) -> None:
    with pytest.raises(LuaError):
        run(script, {})


@pytest.mark.parametrize("test", ACTION_TESTS["discoveryTests"], ids=lambda test: Path(test["inputPath"]).stem)
def test_which_actions_there_are(test: Raw) -> None:
    found = run((SCRIPTS / "actions/discovery.lua").read_text(), load(SCRIPTS / "actions" / test["inputPath"]))
    enabled = [name for name, action in sorted(found.items()) if not action["disabled"]]
    assert enabled == [each["name"] for each in test["result"] if not each["disabled"]]
    assert sorted(found) == [each["name"] for each in test["result"]]
    for each in test["result"]:
        assert {**found[each["name"]], "name": each["name"]} == each


@pytest.mark.parametrize("test", ACTION_TESTS["actionTests"], ids=lambda test: test["action"])
def test_actions(test: Raw) -> None:
    before = load(SCRIPTS / "actions" / test["inputPath"])
    after = run((SCRIPTS / "actions" / test["action"] / "action.lua").read_text(), copy.deepcopy(before))
    expected = load(SCRIPTS / "actions" / test["expectedOutputPath"])
    stamp = after["metadata"].get("annotations", {}).get(RESTARTED)
    if stamp is not None:
        assert yaml.safe_load(stamp).year > 2000
        after["metadata"]["annotations"][RESTARTED] = "0001-01-01T00:00:00Z"
    for empty in [key for key, value in before["status"].items() if value in ({}, [])]:
        del after["status"][empty], expected["status"][empty]  # in Lua the two are one; Argo CD puts them right
    assert after == expected


def test_what_is_recorded_is_what_the_operator_derives() -> None:
    assert {p.stem: p.read_text() for p in FOLDER.iterdir()} == {name: text(raw) for name, raw in recorded().items()}, (
        "run make recorded-states"
    )


def test_the_config_map_is_made_of_the_scripts() -> None:
    spec = importlib.util.spec_from_file_location("generate_argocd", ARGOCD / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert (ARGOCD / "argocd-cm.yaml").read_text() == generate.text(), "run make recorded-states"
    data = yaml.safe_load(generate.text())["data"]
    actions = yaml.safe_load(data["resource.customizations.actions.trainingjob.dev_TrainingJob"])
    assert [each["name"] for each in actions["definitions"]] == ["pause", "restart", "resume"]
    assert data["resource.customizations.health.trainingjob.dev_TrainingJob"] == HEALTH
