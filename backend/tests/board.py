"""The board's services over a migrated database, with a clock the test turns."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from madang.accounts.administration import AccountAdministration
from madang.accounts.passwords import Passwords
from madang.accounts.routes import accounts_blueprint, authenticator
from madang.accounts.service import AccountService
from madang.accounts.session_service import SessionService
from madang.accounts.sessions import NoSessionCache, SessionCache
from madang.db.engine import Database
from madang.http.app import create_app
from madang.http.guard import Identity
from madang.messages import store
from madang.messages.first_page import FirstPageCache
from madang.messages.models import BoardEvent
from madang.messages.routes import messages_blueprint
from madang.messages.search import encode_terms
from madang.messages.service import MessageService

SECRET_KEY = b"a key for tests only, 32 bytes.."
PASSWORD = "correct horse"


def quick_hasher(time_cost: int = 1) -> PasswordHasher:
    """Argon2id that costs next to nothing."""
    return PasswordHasher(time_cost=time_cost, memory_cost=8, parallelism=1)


@dataclass
class TurnedClock:
    """Says what it was told."""

    now: datetime = field(default=datetime(2030, 5, 17, 12, 0, 0, 123456, tzinfo=UTC))

    def __call__(self) -> datetime:
        """The moment it stands at."""
        return self.now

    def advance(self, **units: float) -> None:
        """Turn forward by a timedelta's units."""
        self.now += timedelta(**units)


class Board:
    """Accounts and messages, their HTTP application, and what they published."""

    def __init__(
        self,
        database: Database,
        *,
        cache: SessionCache | None = None,
        first_pages: FirstPageCache | None = None,
        public_url: str | None = None,
        first_becomes_admin: bool = False,
    ) -> None:
        self.database = database
        self.clock = TurnedClock()
        self.events: list[BoardEvent] = []
        self.secure = bool(public_url and public_url.startswith("https:"))
        self.public_url = public_url
        passwords = Passwords(quick_hasher())
        self.sessions = SessionService(database, SECRET_KEY, cache or NoSessionCache(), self.clock)
        self.accounts = AccountService(
            database,
            passwords,
            self.sessions,
            self.clock,
            first_becomes_admin=first_becomes_admin,
        )
        self.administration = AccountAdministration(database, passwords, self.sessions, self.clock)
        self.messages = MessageService(database, self.events.append, first_pages, self.clock)

    def app(self) -> Flask:
        """The HTTP application."""
        return create_app(
            [
                accounts_blueprint(self.accounts, self.sessions, secure=self.secure),
                messages_blueprint(self.messages),
            ],
            authenticator(self.sessions, secure=self.secure),
            self.public_url,
        )

    def sign_up(self, username: str) -> Identity:
        """Register and give the identity of the new session."""
        return self.identity(self.accounts.register(username, PASSWORD).token)

    def fill(self, bodies: dict[int, str]) -> None:
        """Add messages under these numbers, past the service; the author is new."""
        who = self.sign_up("writer")
        rows = [
            {
                "id": number,
                "user_id": who.user_id,
                "body": body,
                "terms": encode_terms(body),
                "created_at": self.clock.now,
            }
            for number, body in bodies.items()
        ]
        with self.database.write() as connection:
            connection.execute(insert(store.messages), rows)

    def identity(self, token: str) -> Identity:
        """Who holds a token that is valid."""
        identity = self.sessions.authenticate(token)
        assert identity is not None
        return identity

    def browser(self, username: str | None = None) -> FlaskClient:
        """A client with a cookie jar, signed in as a new user when named."""
        client = self.app().test_client()
        if username is not None:
            answer = client.post("/api/users", json={"username": username, "password": PASSWORD})
            assert answer.status_code == 201, answer.text
        return client
