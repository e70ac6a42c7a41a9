"""What compose and the chart must have in common, though each says it in its own way."""

from functools import cache

import pytest

from tests.deploy.compose import resolved
from tests.deploy.manifests import Manifests, render
from tests.deploy.values import nested

pytestmark = pytest.mark.deploy

# Compose is for one machine: only how much the stores may take differs.
SIZES = {"kafka.nodes": 1, "kafka.heap": "256m", "mariadb.bufferPool": "128M"}
REDIS_MEMORY = "64mb"
SERVICES = {"mariadb": "mariadb", "redis": "redis", "kafka": "kafka-1"}


@cache
def chart() -> Manifests:
    return render(nested({**SIZES, "redis.maxMemory": REDIS_MEMORY}))


@pytest.mark.parametrize("name", SERVICES)
def test_stores_have_the_charts_image_and_user(name: str) -> None:
    pod, service = chart().pod(name), resolved()[SERVICES[name]]
    context = pod.spec["securityContext"]

    assert service["image"] == pod.container(name)["image"]
    assert service["user"] == f"{context['runAsUser']}:{context['runAsGroup']}"
