"""How far history is, asked now; apart from the figures of a spool, which need no database."""

from collections.abc import Callable, Mapping

from madang.db.engine import Database
from madang.errors import UnavailableError
from madang.system import store
from madang.system.models import TopicEnds
from madang.telemetry import Figures


def history_figures(database: Database, ends: TopicEnds | None) -> Figures:
    """The figures; None where the database or the brokers do not say, which a check says."""
    try:
        with database.read() as connection:
            return {
                "lag_messages": store.unrecorded_messages(connection, ends) if ends else None,
                "lost": store.lost_messages(connection),
                "rejected_total": store.rejected_count(connection),
            }
    except UnavailableError:
        return dict.fromkeys(("lag_messages", "lost", "rejected_total"))


def waiting_offsets(
    database: Database, ends: Callable[[], TopicEnds | None], topic_id: str
) -> Mapping[int, int]:
    """The next offset to record of each partition of a topic that holds what is not in history.

    Nothing where the brokers say nothing, or have another creation of the topic by now.

    Raises:
        DatabaseUnavailableError: the database does not say.
    """
    found = ends()
    if found is None or found.topic_id != topic_id:
        return {}
    with database.read() as connection:
        return store.waiting_offsets(connection, found)
