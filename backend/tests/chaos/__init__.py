"""Faults: every answered call is in history once, whatever is broken on its way there."""

import pytest

pytest.register_assert_rewrite("tests.chaos.comparison", "tests.chaos.ledger", "tests.chaos.world")
