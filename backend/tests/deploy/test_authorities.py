"""That addresses take the files of authorities as the chart's README names them."""

import re

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from madang.db.engine import parse_url
from tests.deploy import tools

pytestmark = pytest.mark.deploy


def _named(option: str) -> str:
    found = re.search(rf"\?{option}=([\w./-]+)", (tools.CHART / "README.md").read_text())
    assert found
    return found[1]


def test_address_of_mariadb_holds_the_server_to_an_authority() -> None:
    url = parse_url(f"mariadb://board:secret@database/board?ssl_ca={_named('ssl_ca')}")

    _, options = url.get_dialect()().create_connect_args(url)

    assert options["ssl"] == {"ca": "/etc/madang/mariadb-ca/ca.crt"}


@pytest.mark.parametrize("client", [Redis, AsyncRedis])
def test_address_of_redis_holds_the_server_to_an_authority(
    client: type[Redis] | type[AsyncRedis],
) -> None:
    url = f"rediss://:secret@cache:6380/0?ssl_ca_certs={_named('ssl_ca_certs')}"

    options = client.from_url(url).connection_pool.connection_kwargs

    assert options["ssl_ca_certs"] == "/etc/madang/redis-ca/ca.crt"
