"""What can go wrong with a service."""


class ServiceError(Exception):
    """A service did not start, died or did not answer in time."""


class ServiceMissingError(ServiceError):
    """Something that has to be installed is not there."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not installed; `make setup` installs it")
