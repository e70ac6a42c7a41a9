"""The embedded process, killed in mid-burst and started again."""

import random
from pathlib import Path

import pytest

from tests.chaos.comparison import History, assert_whole
from tests.chaos.ledger import Ledger
from tests.chaos.world import BURST
from tests.services.stack import Embedded

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

KILLS = 4


def test_embedded_process_that_is_killed_has_recorded_what_it_answered(
    services_directory: Path, chance: random.Random
) -> None:
    with Embedded(services_directory / "chaos-embedded").running() as embedded:
        ledger = Ledger(embedded.url)
        history = History(f"sqlite:///{embedded.data / 'madang.db'}")
        with ledger.clients():
            ledger.wait_for_answers(BURST)
            for _ in range(KILLS):
                with ledger.fault():
                    ledger.wait_for_answers(chance.randint(20, BURST))
                    embedded.process.kill()
                    embedded.process.start()
            ledger.wait_for_answers(BURST)
        assert_whole(ledger.answered, history)
        history.close()
        assert ledger.unrecorded == 0
        assert set(ledger.statuses) == {200, 201}
        ledger.assert_nobody_waited()
