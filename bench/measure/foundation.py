"""The recorded result of the foundation bench, and what it comes down to."""

from collections.abc import Sequence

import msgspec

from measure.history import Recorded
from measure.latency import Buckets, merged, percentile_ms
from measure.results import Measurement
from measure.stand import Mode
from measure.usage import Use

RATIO_WANTED = 0.6
LAG_WANTED_SECONDS = 2.0


class Run(msgspec.Struct, frozen=True):
    """One stretch of steady load."""

    case: str
    mode: Mode
    round: int
    requests: int
    seconds: float
    refused: int
    broken: int
    latencies: Buckets
    uses: dict[str, Use]
    other_cpu_seconds: float
    recorded: Recorded | None

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


class Parameters(msgspec.Struct, frozen=True):
    """How it was measured."""

    seconds: float
    rounds: int
    warm_up_seconds: float
    connections: int
    workers: int
    threads: int
    settings: dict[str, str]


class Foundation(Measurement, frozen=True, kw_only=True):
    """Everything, as it stands in `results/`."""

    parameters: Parameters
    runs: list[Run]

    def cases(self) -> list[str]:
        """The names of the cases, in the order in which they ran."""
        return list(dict.fromkeys(run.case for run in self.runs))

    def summary(self, case: str, mode: Mode) -> "Summary | None":
        """All rounds of a case together."""
        runs = [run for run in self.runs if (run.case, run.mode) == (case, mode)]
        return Summary.of(runs) if runs else None

    def ratio(self, case: str, mode: Mode = Mode.on) -> float | None:
        """Requests a second in this mode to those with neither call log nor telemetry."""
        with_it, without = self.summary(case, mode), self.summary(case, Mode.off)
        return with_it.per_second / without.per_second if with_it and without else None

    def faults(self) -> list[str]:
        """Where the result is wrong or misses its target; empty when all is well."""
        found = []
        for run in self.runs:
            name = f"{run.case}, {run.mode}, round {run.round}"
            if run.refused or run.broken:
                found.append(f"{name}: {run.refused} answers above 399, {run.broken} broken")
            if run.recorded and not run.recorded.is_exact:
                found.append(
                    f"{name}: {run.recorded.answered} calls answered, {run.recorded.rows} recorded"
                    f" (up to {run.recorded.rows_allowed} fit), {run.recorded.rejected} rejected"
                )
            if run.recorded and run.recorded.catch_up_seconds >= LAG_WANTED_SECONDS:
                found.append(
                    f"{name}: history was complete after {run.recorded.catch_up_seconds} s"
                )
        for case in self.cases():
            ratio = self.ratio(case)
            if ratio is not None and ratio < RATIO_WANTED:
                found.append(f"{case}: {ratio:.0%} of the rate without call log and telemetry")
        return found


class Summary(msgspec.Struct, frozen=True):
    """Several runs of one case in one mode."""

    per_second: float
    slowest_round: float
    fastest_round: float
    p50_ms: float
    p99_ms: float
    failed: int
    cpu_ms_per_request: dict[str, float]
    rss_mib: dict[str, float]
    other_cores: float
    worst_lag_seconds: float | None
    catch_up_seconds: float | None

    @classmethod
    def of(cls, runs: Sequence[Run]) -> "Summary":
        """Rates over the whole time; latencies of all answers; memory at its highest."""
        requests, seconds = sum(run.requests for run in runs), sum(run.seconds for run in runs)
        latencies = merged(run.latencies for run in runs)
        recorded = [run.recorded for run in runs if run.recorded]
        roles = runs[0].uses
        return cls(
            per_second=requests / seconds,
            slowest_round=min(run.per_second for run in runs),
            fastest_round=max(run.per_second for run in runs),
            p50_ms=percentile_ms(latencies, 50),
            p99_ms=percentile_ms(latencies, 99),
            failed=sum(run.refused + run.broken for run in runs),
            cpu_ms_per_request={
                role: sum(run.uses[role].cpu_seconds for run in runs) / requests * 1000
                for role in roles
            },
            rss_mib={role: max(run.uses[role].rss_mib for run in runs) for role in roles},
            other_cores=sum(run.other_cpu_seconds for run in runs) / seconds,
            worst_lag_seconds=max((each.lag.worst_seconds for each in recorded), default=None),
            catch_up_seconds=max((each.catch_up_seconds for each in recorded), default=None),
        )
