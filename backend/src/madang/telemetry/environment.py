"""The standard `OTEL_*` variables, checked before the SDK is imported and reads them.

The SDK answers most wrong values with a warning and a default, and some with a traceback; here each
stops the process in one line.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from madang.errors import ConfigurationError

_SIGNALS = ("TRACES", "METRICS", "LOGS")
_OTLP = ("OTEL_EXPORTER_OTLP", *(f"OTEL_EXPORTER_OTLP_{signal}" for signal in _SIGNALS))
_SAMPLERS = ("always_on", "always_off", "parentbased_always_on", "parentbased_always_off")
_RATIO_SAMPLERS = ("parentbased_traceidratio", "traceidratio")
_CHOICES: dict[str, tuple[str, ...]] = {
    "OTEL_SDK_DISABLED": ("true", "false"),
    "OTEL_TRACES_SAMPLER": (*_SAMPLERS, *_RATIO_SAMPLERS),
    "OTEL_METRICS_EXEMPLAR_FILTER": ("always_on", "always_off", "trace_based"),
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": ("cumulative", "delta", "lowmemory"),
    **{f"OTEL_{signal}_EXPORTER": ("otlp", "none") for signal in _SIGNALS},
    **{f"{prefix}_PROTOCOL": ("http/protobuf",) for prefix in _OTLP},
    **{f"{prefix}_COMPRESSION": ("none", "gzip", "deflate") for prefix in _OTLP},
}
_POSITIVE = (
    *(f"OTEL_BSP_{name}" for name in ("MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE")),
    *(f"OTEL_BLRP_{name}" for name in ("MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE")),
    *(f"OTEL_{name}_SCHEDULE_DELAY" for name in ("BSP", "BLRP")),
    *(f"OTEL_{name}_EXPORT_TIMEOUT" for name in ("BSP", "BLRP")),
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_METRIC_EXPORT_TIMEOUT",
    *(f"{prefix}_TIMEOUT" for prefix in _OTLP),
)
_LIMITS = (
    *(f"OTEL_{name}_COUNT_LIMIT" for name in ("SPAN_EVENT", "SPAN_LINK")),
    *(f"OTEL_{name}ATTRIBUTE_COUNT_LIMIT" for name in ("", "SPAN_", "LOGRECORD_")),
    *(f"OTEL_{name}_ATTRIBUTE_COUNT_LIMIT" for name in ("EVENT", "LINK")),
    *(f"OTEL_{name}ATTRIBUTE_VALUE_LENGTH_LIMIT" for name in ("", "SPAN_", "LOGRECORD_")),
)
_FILES = tuple(
    f"{prefix}_{name}"
    for prefix in _OTLP
    for name in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")
)
_DEFAULT_TIMEOUT_MS = "10000"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one signal is sent."""

    url: str
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which traces are recorded: a sampler by its standard name, and the ratio where it has one."""

    sampler: str
    ratio: float


@dataclass(frozen=True, slots=True)
class OtelSettings:
    """What the `OTEL_*` variables ask for; a signal without a destination is not exported."""

    disabled: bool
    sampling: Sampling
    traces: Destination | None
    metrics: Destination | None
    logs: Destination | None


def read_otel_settings(environ: Mapping[str, str], *, default_ratio: float) -> OtelSettings:
    """Check and read the variables; as the specification says, an empty one counts as unset.

    Args:
        environ: the environment.
        default_ratio: the part of traces sampled where no sampler is named, 0 to 1.

    Raises:
        ConfigurationError: a value is wrong; the message names the variable.
    """
    given = {name: value.strip() for name, value in environ.items() if value.strip()}
    _check(given)
    disabled = given.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return OtelSettings(
        disabled=disabled,
        sampling=_sampling(given, default_ratio),
        traces=None if disabled else _destination(given, "TRACES"),
        metrics=None if disabled else _destination(given, "METRICS"),
        logs=None if disabled else _destination(given, "LOGS"),
    )


def _check(given: Mapping[str, str]) -> None:
    for name, choices in _CHOICES.items():
        if name in given and given[name].lower() not in choices:
            raise ConfigurationError(f"{name}: {given[name]!r} is not one of {', '.join(choices)}")
    for name in _POSITIVE:
        if name in given and not (given[name].isdecimal() and int(given[name]) > 0):
            raise ConfigurationError(f"{name}: {given[name]!r} is not a whole number above 0")
    for name in _LIMITS:
        if name in given and not given[name].isdecimal():
            raise ConfigurationError(f"{name}: {given[name]!r} is not a whole number")
    for name in _FILES:
        if name in given and not Path(given[name]).is_file():
            raise ConfigurationError(f"{name}: there is no file {given[name]!r}")
    _check_resource(given.get("OTEL_RESOURCE_ATTRIBUTES", ""))


def _check_resource(attributes: str) -> None:
    for pair in filter(str.strip, attributes.split(",")):
        key, equals, _ = pair.partition("=")
        if not (key.strip() and equals):
            raise ConfigurationError(f"OTEL_RESOURCE_ATTRIBUTES: {pair!r} is not key=value")


def _sampling(given: Mapping[str, str], default_ratio: float) -> Sampling:
    name = given.get("OTEL_TRACES_SAMPLER", "").lower()
    if name in _SAMPLERS:
        return Sampling(name, 1.0)
    argument = given.get("OTEL_TRACES_SAMPLER_ARG", "1" if name else str(default_ratio))
    try:
        ratio = float(argument)
    except ValueError:
        ratio = math.nan
    if not 0 <= ratio <= 1:
        raise ConfigurationError(f"OTEL_TRACES_SAMPLER_ARG: {argument!r} is not between 0 and 1")
    return Sampling(name or "parentbased_traceidratio", ratio)


def _destination(given: Mapping[str, str], signal: str) -> Destination | None:
    exporter = given.get(f"OTEL_{signal}_EXPORTER", "").lower()
    if exporter == "none" or (signal == "LOGS" and exporter != "otlp"):
        return None
    url = _url(given, signal)
    if url is None:
        if exporter == "otlp":
            raise ConfigurationError(
                f"OTEL_{signal}_EXPORTER is otlp, and OTEL_EXPORTER_OTLP_ENDPOINT is not set"
            )
        return None
    timeout_ms = given.get(
        f"OTEL_EXPORTER_OTLP_{signal}_TIMEOUT",
        given.get("OTEL_EXPORTER_OTLP_TIMEOUT", _DEFAULT_TIMEOUT_MS),
    )
    return Destination(url, int(timeout_ms) / 1000)


def _url(given: Mapping[str, str], signal: str) -> str | None:
    """A signal's own endpoint is used as it stands, the common one gets the signal's path."""
    own = f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"
    if own in given:
        return _checked_url(own, given[own])
    common = given.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if common is None:
        return None
    checked = _checked_url("OTEL_EXPORTER_OTLP_ENDPOINT", common)
    return f"{checked.rstrip('/')}/v1/{signal.lower()}"


def _checked_url(name: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(f"{name}: {url!r} is not http(s)://host[:port]")
    return url
