"""What the Helm chart tells whoever installed it."""

import pytest
import yaml

from tests.deploy import tools
from tests.deploy.cases import SWITCHES
from tests.deploy.manifests import NAMESPACE, RELEASE, Object
from tests.deploy.values import nested

pytestmark = pytest.mark.deploy

URL = "https://board.example.com"
BALANCED: Object = {"web.service.type": "LoadBalancer"}


@pytest.mark.parametrize("case", ["ingress", "gateway"])
def test_address_is_the_public_one_where_something_leads_there(case: str) -> None:
    told = _notes(SWITCHES[case])

    assert f"\n\n  {SWITCHES[case]['publicUrl']}\n\n" in told
    assert "localhost" not in told
    assert "jsonpath" not in told


def test_address_of_a_load_balancer_is_its_number_or_its_name() -> None:
    status = "{.status.loadBalancer.ingress[0]"

    assert f"jsonpath='http://{status}.ip}}{status}.hostname}}" in _notes(BALANCED)


def test_public_address_stands_before_that_of_the_load_balancer() -> None:
    told = _notes({**BALANCED, "publicUrl": URL})

    assert told.index(f"  {URL}\n") < told.index("get service board-web")
    assert "http://" not in told


def test_public_address_stands_before_the_way_by_a_forwarded_port() -> None:
    told = _notes({"publicUrl": URL})

    assert told.index(f"  {URL}\n") < told.index("port-forward service/board-web")
    assert URL not in _notes({})


def _notes(values: Object) -> str:
    arguments = ("--dry-run=client", "--namespace", NAMESPACE, "-f", "-")
    given = yaml.safe_dump(nested(values))
    done = tools.run("helm", "install", RELEASE, tools.CHART, *arguments, given=given)
    assert done.returncode == 0, done.stderr
    return done.stdout.rpartition("\nNOTES:\n")[2]
