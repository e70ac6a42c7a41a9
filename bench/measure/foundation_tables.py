"""The result of the foundation bench as Markdown."""

from collections.abc import Iterable

from measure.foundation import Foundation, Summary
from measure.machine import Machine
from measure.stand import Mode
from measure.tables import table

_SMALL = {
    "en": (
        (
            "Measured on {cores} cores ({cpu}), {memory:.0f} GiB, {date}: {connections} "
            "connections, everything on that machine, the load generator too."
        ),
        ("call", "calls/s", "p50", "p99", "without log and telemetry", "kept"),
    ),
    "ko": (
        (
            "{date}에 코어 {cores}개({cpu}), 메모리 {memory:.0f} GiB에서 연결 {connections}개로 "
            "쟀습니다. 부하 생성기를 포함한 모든 것이 한 대에서 돌았습니다."
        ),
        ("호출", "초당 호출", "p50", "p99", "기록·원격 측정을 끈 값", "비율"),
    ),
}


def small_table(result: Foundation, language: str) -> str:
    """The few figures for the front page, in `en` or `ko`."""
    sentence, header = _SMALL[language]
    rows = []
    for case in result.cases():
        on, off, ratio = _both(result, case)
        if on and off and ratio:
            rows.append(
                [
                    f"`{case}`",
                    f"{on.per_second:,.0f}",
                    f"{on.p50_ms:.1f} ms",
                    f"{on.p99_ms:.1f} ms",
                    f"{off.per_second:,.0f}",
                    f"{ratio:.0%}",
                ]
            )
    size: Machine = result.machine
    told = sentence.format(
        cores=size.cores,
        cpu=size.cpu,
        memory=size.memory_gib,
        date=result.date,
        connections=result.parameters.connections,
    )
    return f"{told}\n\n{table(header, rows)}"


def full_report(result: Foundation) -> str:
    """Everything worth reading of a result."""
    parts = [
        _conditions(result),
        table(
            (
                "case",
                "",
                "calls/s",
                "slowest to fastest round",
                "p50 ms",
                "p99 ms",
                "failed",
                "kept",
            ),
            _rates(result),
        ),
        "History, per run with the call log on:\n",
        table(
            (
                "case",
                "",
                "round",
                "answered",
                "rows",
                "lag median s",
                "worst s",
                "complete after s",
            ),
            _recorded(result),
        ),
        "Processor time in milliseconds a call, and the cores that anything else took:\n",
        table(("case", "", *_roles(result), "else"), _processor(result)),
        "Highest resident memory in MiB, all processes of a role together:\n",
        table(("", *_roles(result)), _memory(result)),
        result.verdict(
            "Every answer was below 400, history holds every answered call once, was complete "
            "within 2 s, and every case keeps at least 60 % of its rate."
        ),
    ]
    return "\n".join(parts)


def _conditions(result: Foundation) -> str:
    used = result.parameters
    how = (
        f"{used.connections} connections, {used.seconds:g} s a case in {used.rounds} rounds after "
        f"{used.warm_up_seconds:g} s of warm-up each; api with {used.workers} workers of "
        f"{used.threads} threads"
    )
    return result.conditions(how, used.settings)


def _both(result: Foundation, case: str) -> tuple[Summary | None, Summary | None, float | None]:
    return result.summary(case, Mode.on), result.summary(case, Mode.off), result.ratio(case)


def _summaries(result: Foundation) -> Iterable[tuple[str, Mode, Summary]]:
    for case in result.cases():
        for mode in Mode:
            if (summary := result.summary(case, mode)) is not None:
                yield case, mode, summary


def _rates(result: Foundation) -> Iterable[list[str]]:
    for case, mode, summary in _summaries(result):
        ratio = None if mode is Mode.off else result.ratio(case, mode)
        yield [
            f"`{case}`",
            mode,
            f"{summary.per_second:,.0f}",
            f"{summary.slowest_round:,.0f} to {summary.fastest_round:,.0f}",
            f"{summary.p50_ms:.1f}",
            f"{summary.p99_ms:.1f}",
            str(summary.failed),
            f"{ratio:.0%}" if ratio else "",
        ]


def _recorded(result: Foundation) -> Iterable[list[str]]:
    for run in result.runs:
        if run.recorded is not None:
            yield [
                f"`{run.case}`",
                run.mode,
                str(run.round),
                f"{run.recorded.answered:,}",
                f"{run.recorded.rows:,}",
                f"{run.recorded.lag.median_seconds:.2f}",
                f"{run.recorded.lag.worst_seconds:.2f}",
                f"{run.recorded.catch_up_seconds:.2f}",
            ]


def _roles(result: Foundation) -> list[str]:
    return list(dict.fromkeys(role for run in result.runs for role in run.uses))


def _processor(result: Foundation) -> Iterable[list[str]]:
    for case, mode, summary in _summaries(result):
        used = summary.cpu_ms_per_request
        cells = [f"{used[role]:.2f}" if role in used else "" for role in _roles(result)]
        yield [f"`{case}`", mode, *cells, f"{summary.other_cores:.2f}"]


def _memory(result: Foundation) -> Iterable[list[str]]:
    for mode in Mode:
        runs = [summary for _, each, summary in _summaries(result) if each is mode]
        if not runs:
            continue
        cells = [
            f"{max((s.rss_mib[role] for s in runs if role in s.rss_mib), default=0):.0f}"
            for role in _roles(result)
        ]
        yield [mode, *("" if cell == "0" else cell for cell in cells)]
