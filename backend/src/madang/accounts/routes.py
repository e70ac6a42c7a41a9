"""Accounts over HTTP."""

from typing import Annotated, Literal
from uuid import UUID

from flask import Blueprint, Request, Response, request
from pydantic import AfterValidator, BaseModel, Field

from madang.accounts.models import SessionRecord, UserRecord
from madang.accounts.names import (
    LONGEST_DISPLAY_NAME,
    LONGEST_USERNAME,
    SHORTEST_USERNAME,
    clean_display_name,
    clean_username,
)
from madang.accounts.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD
from madang.accounts.service import AccountService
from madang.accounts.session_service import SessionService, SignIn
from madang.http.fields import Timestamp
from madang.http.guard import Authenticate, Identity, current_identity, note_caller, public
from madang.http.operation import Input, operation
from madang.text import plain_text

LONGEST_TYPED_USERNAME = 4 * LONGEST_USERNAME
"""A decomposed form is longer than the name it stands for: Hangul up to three times."""

Username = Annotated[
    str,
    AfterValidator(clean_username),
    Field(
        max_length=LONGEST_TYPED_USERNAME,
        description=f"{SHORTEST_USERNAME} to {LONGEST_USERNAME} letters of any script, digits, "
        "or the signs _ . -; unique without regard to letter case and Unicode form",
    ),
]
DisplayName = Annotated[
    str,
    AfterValidator(clean_display_name),
    Field(
        max_length=4 * LONGEST_DISPLAY_NAME,
        description=f"1 to {LONGEST_DISPLAY_NAME} characters on one line",
    ),
]
NewPassword = Annotated[
    str,
    AfterValidator(plain_text),
    Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD),
]
Password = Annotated[str, Field(min_length=1, max_length=LONGEST_PASSWORD)]


class NewUser(Input):
    """What registering takes."""

    username: Username
    password: NewPassword
    display_name: DisplayName | None = None


class Credentials(Input):
    """What logging in takes."""

    username: Annotated[str, Field(min_length=1, max_length=LONGEST_TYPED_USERNAME)]
    password: Password


class Profile(Input):
    """What a user may change about their account."""

    display_name: DisplayName


class PasswordChange(Input):
    """What changing the password takes."""

    current_password: Password
    new_password: NewPassword


class Confirmation(Input):
    """The password again, before what cannot be undone."""

    password: Password


class UserAnswer(BaseModel):
    """An account."""

    username: str
    display_name: str
    role: Literal["member", "moderator", "admin"]
    created_at: Timestamp


class SessionSummary(BaseModel):
    """The session of the request."""

    id: UUID
    created_at: Timestamp
    expires_at: Timestamp


class SignedIn(BaseModel):
    """Who is signed in, and since when."""

    user: UserAnswer
    session: SessionSummary


class SessionAnswer(SessionSummary):
    """One of the caller's sessions; `current` marks the one that asks."""

    last_seen_at: Timestamp
    user_agent: str
    current: bool


class SessionList(BaseModel):
    """The caller's sessions, newest first."""

    items: list[SessionAnswer]


def session_cookie_name(secure: bool) -> str:
    """Over https only the name that browsers guard counts."""
    return "__Host-madang_session" if secure else "madang_session"


def authenticator(sessions: SessionService, *, secure: bool) -> Authenticate:
    """Find the caller of a request by its session cookie."""
    name = session_cookie_name(secure)

    def authenticate(sent: Request) -> Identity | None:
        token = sent.cookies.get(name)
        return sessions.authenticate(token) if token else None

    return authenticate


def accounts_blueprint(
    accounts: AccountService, sessions: SessionService, *, secure: bool
) -> Blueprint:
    """Registering, sessions and the own account.

    Args:
        accounts: the rules.
        sessions: those that begin and end.
        secure: whether browsers come over https.
    """
    blueprint = Blueprint("accounts", __name__, url_prefix="/api")
    _add_sign_in(blueprint, accounts, secure)
    _add_own_account(blueprint, accounts, secure)
    _add_current_session(blueprint, sessions, secure)
    _add_own_sessions(blueprint, sessions)
    return blueprint


def _add_sign_in(blueprint: Blueprint, accounts: AccountService, secure: bool) -> None:
    @blueprint.post("/users")
    @operation("Register", body=NewUser, answer=SignedIn, status=201, problems=(409,))
    @public
    def register(body: NewUser) -> Response:
        begun = accounts.register(body.username, body.password, body.display_name, _user_agent())
        return _signed_in(begun, 201, secure)

    @blueprint.post("/session")
    @operation("Log in", body=Credentials, answer=SignedIn, problems=(401, 403))
    @public
    def log_in(body: Credentials) -> Response:
        begun = accounts.log_in(body.username, body.password, _user_agent())
        return _signed_in(begun, 200, secure)


def _add_current_session(blueprint: Blueprint, sessions: SessionService, secure: bool) -> None:
    @blueprint.get("/session")
    @operation("Who am I", answer=SignedIn)
    def get_session() -> SignedIn:
        user, session = sessions.current(current_identity())
        return SignedIn(user=_user(user), session=_summary(session))

    @blueprint.delete("/session")
    @operation("Log out", status=204)
    def log_out() -> Response:
        sessions.log_out(current_identity())
        return _signed_out(secure)


def _add_own_account(blueprint: Blueprint, accounts: AccountService, secure: bool) -> None:
    @blueprint.patch("/users/me")
    @operation("Change the own account", body=Profile, answer=UserAnswer)
    def update_me(body: Profile) -> UserAnswer:
        return _user(accounts.rename(current_identity(), body.display_name))

    @blueprint.put("/users/me/password")
    @operation("Change the password and end the other sessions", body=PasswordChange, status=204)
    def change_password(body: PasswordChange) -> None:
        accounts.change_password(current_identity(), body.current_password, body.new_password)

    @blueprint.delete("/users/me")
    @operation("Delete the own account; its messages stay", body=Confirmation, status=204)
    def delete_me(body: Confirmation) -> Response:
        accounts.delete(current_identity(), body.password)
        return _signed_out(secure)


def _add_own_sessions(blueprint: Blueprint, sessions: SessionService) -> None:
    @blueprint.get("/users/me/sessions")
    @operation("List the own sessions", answer=SessionList)
    def list_sessions() -> SessionList:
        identity = current_identity()
        found = sessions.of(identity)
        return SessionList(items=[_session(item, identity.session_digest) for item in found])

    @blueprint.delete("/users/me/sessions/<uuid:session_id>")
    @operation("End one of the own sessions", status=204, problems=(404,))
    def end_session(session_id: UUID) -> None:
        sessions.end(current_identity(), session_id)


def _user_agent() -> str:
    return request.headers.get("User-Agent", "")


def _signed_in(begun: SignIn, status: int, secure: bool) -> Response:
    note_caller(begun.user.username)
    answer = SignedIn(user=_user(begun.user), session=_summary(begun.session))
    response = Response(answer.model_dump_json(), status, mimetype="application/json")
    response.set_cookie(
        session_cookie_name(secure),
        begun.token,
        max_age=begun.session.expires_at - begun.session.created_at,
        path="/",
        secure=secure,
        httponly=True,
        samesite="Lax",
    )
    return response


def _signed_out(secure: bool) -> Response:
    response = Response(status=204)
    response.delete_cookie(
        session_cookie_name(secure), path="/", secure=secure, httponly=True, samesite="Lax"
    )
    return response


def _user(user: UserRecord) -> UserAnswer:
    return UserAnswer(
        username=user.username,
        display_name=user.display_name,
        role=user.role.name,
        created_at=user.created_at,
    )


def _summary(session: SessionRecord) -> SessionSummary:
    return SessionSummary(
        id=session.id, created_at=session.created_at, expires_at=session.expires_at
    )


def _session(session: SessionRecord, current: bytes) -> SessionAnswer:
    return SessionAnswer(
        id=session.id,
        created_at=session.created_at,
        expires_at=session.expires_at,
        last_seen_at=session.last_seen_at,
        user_agent=session.user_agent,
        current=session.digest == current,
    )
