"""Who may pass: sign-in by default, roles where a route asks, and nothing from another site."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

from flask import Flask, Request, g, request

from madang.errors import (
    CrossSiteRequestError,
    ForbiddenError,
    UnauthenticatedError,
    UnavailableError,
)

View = TypeVar("View", bound=Callable[..., Any])

USER_ENVIRON_KEY = "madang.user"
"""Where the WSGI environment carries the username of the caller, for the call log."""

_PUBLIC = "madang_public"
_ROLE = "madang_role"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Role(IntEnum):
    """Each role may do all that the lower ones may."""

    member = 0
    moderator = 1
    admin = 2


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is calling: the account and the session it came by."""

    user_id: int
    username: str
    display_name: str
    role: Role
    session_digest: bytes


Authenticate = Callable[[Request], Identity | None]


def public(view: View) -> View:
    """Let callers without a session pass."""
    view.__dict__[_PUBLIC] = True
    return view


def is_public(view: Callable[..., Any]) -> bool:
    """Whether callers without a session may pass."""
    return bool(view.__dict__.get(_PUBLIC, False))


def requires(role: Role) -> Callable[[View], View]:
    """Let only callers of this role or a higher one pass."""

    def mark(view: View) -> View:
        view.__dict__[_ROLE] = role
        return view

    return mark


def current_identity() -> Identity:
    """The caller of the current request.

    Raises:
        UnauthenticatedError: the route is public, so nobody asked who is calling.
    """
    identity: Identity | None = g.get("identity")
    if identity is None:
        raise UnauthenticatedError
    return identity


def note_caller(username: str) -> None:
    """Name the caller of the current request in the call log."""
    request.environ[USER_ENVIRON_KEY] = username


def register_guard(app: Flask, authenticate: Authenticate, public_url: str | None) -> None:
    """Check every request of `app` before its view runs."""

    def check() -> None:
        if request.method not in SAFE_METHODS:
            refuse_cross_site(request, public_url)
        if request.endpoint is None:
            _name_caller_if_known(authenticate)
            return
        view = app.view_functions[request.endpoint]
        if is_public(view):
            return
        identity = authenticate(request)
        if identity is None:
            raise UnauthenticatedError
        g.identity = identity
        note_caller(identity.username)
        needed: Role = view.__dict__.get(_ROLE, Role.member)
        if identity.role < needed:
            raise ForbiddenError(f"This needs the role {needed.name}")

    app.before_request(check)


def _name_caller_if_known(authenticate: Authenticate) -> None:
    """For what no route answers: the call log names who asked, where that can be found out."""
    try:
        identity = authenticate(request)
    except UnavailableError:
        return
    if identity is not None:
        note_caller(identity.username)


def refuse_cross_site(sent: Request, public_url: str | None) -> None:
    """Refuse an unsafe request that a browser sent from another site.

    `Sec-Fetch-Site` decides where a browser sends it (secure contexts), else `Origin`; a client
    that sends neither is no browser.

    Raises:
        CrossSiteRequestError: the request comes from another origin.
    """
    site = sent.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise CrossSiteRequestError(f"Sec-Fetch-Site is {site}")
        return
    origin = sent.headers.get("Origin")
    if origin is None:
        return
    if public_url is not None:
        allowed = origin.lower() == public_url
    else:
        allowed = origin.lower().partition("://")[2] == sent.host.lower()
    if not allowed:
        raise CrossSiteRequestError(f"Origin {origin[:200]} is not this site")
