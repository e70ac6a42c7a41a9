"""The call log of a board on a cluster, read past the application and through it."""

from contextlib import suppress
from uuid import UUID

import httpx

from tests.chaos.comparison import differences
from tests.cluster.load import Load
from tests.services.errors import ServiceError
from tests.services.kubernetes.release import Release
from tests.services.waiting import or_none, wait_until

_CATCH_UP_SECONDS = 180
_MARIADB = 'exec mariadb --user=root --password="$MARIADB_ROOT_PASSWORD" --skip-column-names madang'


def ask_mariadb(release: Release, statement: str) -> list[str]:
    """The rows of an answer, out of the database's own pod."""
    pod = (f"--namespace={release.namespace}", f"{release.name}-mariadb-0", "--stdin", "--")
    words = ("exec", *pod, "sh", "-c", _MARIADB)
    return release.cluster.kubectl(*words, given=statement).splitlines()


def assert_whole(release: Release, load: Load) -> None:
    """Every answered call is in history exactly once, and statistics count what history has."""
    assert load.unrecorded == []
    answered = load.answered
    assert len(set(answered)) == len(answered), "an identifier was given twice"
    with suppress(ServiceError):  # the comparison below says which calls were waited for in vain
        is_there = or_none(lambda: set(answered) <= set(_recorded(release, load)))
        wait_until(is_there, _CATCH_UP_SECONDS, "history")
    differing = differences(answered, _recorded(release, load))
    assert not differing, differing
    process = (f"deployment/{release.name}-record", f"--namespace={release.namespace}")
    said = release.cluster.kubectl("exec", *process, "--", "madang", "recount", "--check")
    assert "statistics of 0 hours differed" in said, said
    assert _counted_by_the_api(release, load.user) == len(_of_user(release, load.user))


def unanswered(release: Release, load: Load) -> list[UUID]:
    """The user's calls in history that no client noted: their answers were lost on the way."""
    return sorted(set(_of_user(release, load.user)) - set(load.answered))


def _recorded(release: Release, load: Load) -> list[UUID]:
    """The user's calls, and the answered ones that have no user: nobody could be asked who it was.

    The user's are more than the answered ones where answers did not arrive.
    """
    answered = ", ".join(f"x'{call.hex}'" for call in load.answered)
    without = f"SELECT HEX(id) FROM calls WHERE id IN ({answered}) AND user_id IS NULL"
    return [*_of_user(release, load.user), *map(UUID, ask_mariadb(release, without))]


def _of_user(release: Release, user: str) -> list[UUID]:
    return [
        UUID(call)
        for call in ask_mariadb(release, f"SELECT HEX(id) FROM calls WHERE user_id = '{user}'")
    ]


def _counted_by_the_api(release: Release, user: str) -> int:
    with release.forward() as url, httpx.Client(base_url=url, timeout=30) as browser:
        browser.post("/api/session", json=release.secret("admin")).raise_for_status()
        answer = browser.get("/api/stats/calls?by=user&limit=200").raise_for_status()
        series = answer.json()["series"]
        return next(int(one["calls"]) for one in series if one["name"] == user)
