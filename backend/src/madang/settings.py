"""Settings from the environment: `MADANG_*`, each named in `--help` where a command uses it."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from madang.errors import ConfigurationError

MEBIBYTE = 1024 * 1024
SHORTEST_SECRET = 32


class SpoolPolicy(StrEnum):
    """What the API does with a request whose call cannot be recorded."""

    serve = "serve"
    refuse = "refuse"


class KafkaSecurity(StrEnum):
    """Kafka's `security.protocol`."""

    plaintext = "PLAINTEXT"
    sasl_plaintext = "SASL_PLAINTEXT"
    ssl = "SSL"
    sasl_ssl = "SASL_SSL"


class KafkaCompression(StrEnum):
    """Kafka's `compression.type`."""

    none = "none"
    gzip = "gzip"
    lz4 = "lz4"
    snappy = "snappy"
    zstd = "zstd"


class Settings(BaseSettings):
    """All settings of all processes; each reads the ones it needs.

    Built by `load`, which turns a wrong value into one clear line.
    """

    model_config = SettingsConfigDict(env_prefix="MADANG_", extra="ignore", frozen=True)

    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    kafka_bootstrap: Annotated[tuple[str, ...], NoDecode] = ()
    kafka_topic: str = Field("api-logs", pattern=r"^[A-Za-z0-9._-]{1,249}$")
    kafka_partitions: int = Field(3, ge=1, le=1000)
    kafka_replication: int = Field(1, ge=1, le=10)
    kafka_group: str = "madang-record"
    kafka_compression: KafkaCompression = KafkaCompression.lz4
    kafka_security_protocol: KafkaSecurity = KafkaSecurity.plaintext
    kafka_sasl_mechanism: str = "SCRAM-SHA-512"
    kafka_sasl_username: str = ""
    kafka_sasl_password: SecretStr = SecretStr("")
    kafka_ssl_ca: Path | None = None
    spool_dir: Path | None = None
    spool_max_bytes: int = Field(512 * MEBIBYTE, ge=MEBIBYTE)
    spool_segment_bytes: int = Field(8 * MEBIBYTE, ge=4096)
    spool_policy: SpoolPolicy = SpoolPolicy.serve
    secret_key: SecretStr | None = None
    public_url: str | None = None
    web_root: Path | None = None
    instance: str | None = None
    call_log: bool = True
    session_days: int = Field(30, ge=1, le=365)
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")

    @field_validator("kafka_bootstrap", mode="before")
    @classmethod
    def _split_addresses(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"needs at least {SHORTEST_SECRET} characters")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_origin(cls, value: str | None) -> str | None:
        if not value:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/"):
            raise ValueError("must be scheme://host[:port] with http or https and no path")
        return f"{parts.scheme}://{parts.netloc}".lower()

    @classmethod
    def load(cls, **overrides: object) -> Self:
        """Read the environment.

        Raises:
            ConfigurationError: a value is wrong; the message names each variable.
        """
        try:
            return cls(**overrides)  # type: ignore[arg-type]  # values are checked by the model
        except ValidationError as error:
            lines = (
                f"MADANG_{'_'.join(str(part) for part in item['loc'][:1]).upper()}: {item['msg']}"
                for item in error.errors(include_input=False, include_url=False)
            )
            raise ConfigurationError("; ".join(lines)) from None

    @property
    def secure_cookies(self) -> bool:
        """Whether the scheme of PUBLIC_URL is https, which alone decides Secure and `__Host-`."""
        return bool(self.public_url and self.public_url.startswith("https://"))

    def require_database_url(self) -> str:
        """The database's address, or a ConfigurationError that names the variable."""
        return _required("MADANG_DATABASE_URL", self.database_url)

    def require_redis_url(self) -> str:
        """Redis' address, or a ConfigurationError that names the variable."""
        return _required("MADANG_REDIS_URL", self.redis_url)

    def require_secret_key(self) -> bytes:
        """The key for session digests, or a ConfigurationError that names the variable."""
        return _required("MADANG_SECRET_KEY", self.secret_key).encode()

    def require_spool_dir(self) -> Path:
        """The spool's directory, or a ConfigurationError that names the variable."""
        if self.spool_dir is None:
            raise ConfigurationError("MADANG_SPOOL_DIR is not set")
        return self.spool_dir

    def require_kafka_bootstrap(self) -> tuple[str, ...]:
        """Kafka's addresses, or a ConfigurationError that names the variable."""
        if not self.kafka_bootstrap:
            raise ConfigurationError("MADANG_KAFKA_BOOTSTRAP is not set")
        return self.kafka_bootstrap


def _required(name: str, value: SecretStr | None) -> str:
    if value is None or not value.get_secret_value():
        raise ConfigurationError(f"{name} is not set")
    return value.get_secret_value()
