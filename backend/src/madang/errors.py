"""Every error that Madang raises on purpose.

A class carries the stable `code` and the HTTP `status` that `http.problem` puts into its
problem details; the text says what is wrong in words a person can act on.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of the request and what is wrong with it."""

    field: str
    message: str


class MadangError(Exception):
    """The root. Not raised itself."""

    code = "internal_error"
    status = 500
    title = "Internal error"

    def __init__(self, detail: str = "", *, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = errors


class ConfigurationError(MadangError):
    """A setting is missing or wrong. The command line prints it as one line."""

    code = "configuration"
    title = "Wrong setting"


class ValidationFailedError(MadangError):
    """The request is well formed and its values are not acceptable."""

    code = "validation_failed"
    status = 422
    title = "Some values are not acceptable"

    @classmethod
    def of(cls, field: str, message: str) -> "ValidationFailedError":
        """For one field."""
        return cls(f"{field}: {message}", errors=(FieldError(field, message),))


class NotFoundError(MadangError):
    """What the path names does not exist."""

    code = "not_found"
    status = 404
    title = "Not found"


class UnauthenticatedError(MadangError):
    """The request needs a session and has none that is valid."""

    code = "unauthenticated"
    status = 401
    title = "Sign in first"


class InvalidCredentialsError(MadangError):
    """Wrong username or password; which of the two is not said."""

    code = "invalid_credentials"
    status = 401
    title = "Wrong username or password"


class ForbiddenError(MadangError):
    """The session is valid and may not do this."""

    code = "forbidden"
    status = 403
    title = "Not allowed"


class AccountDisabledError(ForbiddenError):
    """An administrator has disabled the account."""

    code = "account_disabled"
    title = "This account is disabled"


class CrossSiteRequestError(ForbiddenError):
    """A browser sent an unsafe request from another site."""

    code = "cross_site_request"
    title = "Requests from another site are refused"


class UsernameTakenError(MadangError):
    """Another account has this name in some letter case or Unicode form."""

    code = "username_taken"
    status = 409
    title = "This username is taken"


class UnavailableError(MadangError):
    """Something that the request needs does not answer at present."""

    code = "dependency_unavailable"
    status = 503
    title = "A service this needs is not available"


class DatabaseUnavailableError(UnavailableError):
    """The database refuses connections, is gone, or is too busy."""

    title = "The database is not available"


class RedisUnavailableError(UnavailableError):
    """Redis refuses connections or does not answer in time."""

    title = "Redis is not available"


class KafkaUnavailableError(UnavailableError):
    """No broker answers, or the topic is missing."""

    title = "Kafka is not available"


class SchemaError(MadangError):
    """The database's schema does not fit this program."""

    code = "schema"
    title = "The database schema does not fit this version"


class SpoolError(MadangError):
    """The spool directory cannot be used."""

    code = "spool"
    status = 503
    title = "The call log's spool cannot be written"


class SpoolFullError(SpoolError):
    """The spool has no room and the policy refuses requests it cannot record."""

    code = "spool_full"
    title = "The call log is full"
