"""Results as Markdown, and the places in pages that hold them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from measure.machine import Machine
from measure.results import Result, Summary
from measure.stand import Mode

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


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def put_between_marks(page: Path, mark: str, content: str) -> bool:
    """Replace what stands between `<!-- mark:begin -->` and its end; False where they are not."""
    begin, end = f"<!-- {mark}:begin -->", f"<!-- {mark}:end -->"
    text = page.read_text() if page.exists() else ""
    head, found_begin, rest = text.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not found_begin or not found_end:
        return False
    page.write_text(f"{head}{begin}\n{content.strip()}\n{end}{tail}")
    return True


def small_table(result: Result, language: str) -> str:
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


def full_report(result: Result) -> str:
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
            ("case", "round", "answered", "rows", "lag median s", "worst s", "complete after s"),
            _recorded(result),
        ),
        "Processor time in milliseconds a call, and the cores that anything else took:\n",
        table(("case", "", *_roles(result), "else"), _processor(result)),
        "Highest resident memory in MiB, all processes of a role together:\n",
        table(("", *_roles(result)), _memory(result)),
        _verdict(result),
    ]
    return "\n".join(parts)


def _conditions(result: Result) -> str:
    size, used = result.machine, result.parameters
    settings = ", ".join(f"{name}={value}" for name, value in used.settings.items())
    versions = ", ".join(f"{name} {value}" for name, value in result.versions.items())
    return (
        f"{result.date}: {size.cores} cores ({size.cpu}), {size.memory_gib} GiB, "
        f"Linux {size.kernel}. {used.connections} connections, {used.seconds:g} s a case in "
        f"{used.rounds} rounds after {used.warm_up_seconds:g} s of warm-up each; api with "
        f"{used.workers} workers of {used.threads} threads. {settings}. {versions}.\n"
    )


def _both(result: Result, case: str) -> tuple[Summary | None, Summary | None, float | None]:
    return result.summary(case, Mode.on), result.summary(case, Mode.off), result.ratio(case)


def _summaries(result: Result) -> Iterable[tuple[str, Mode, Summary]]:
    for case in result.cases():
        for mode in Mode:
            if (summary := result.summary(case, mode)) is not None:
                yield case, mode, summary


def _rates(result: Result) -> Iterable[list[str]]:
    for case, mode, summary in _summaries(result):
        ratio = result.ratio(case) if mode is Mode.on else None
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


def _recorded(result: Result) -> Iterable[list[str]]:
    for run in result.runs:
        if run.recorded is not None:
            yield [
                f"`{run.case}`",
                str(run.round),
                f"{run.recorded.answered:,}",
                f"{run.recorded.rows:,}",
                f"{run.recorded.lag.median_seconds:.2f}",
                f"{run.recorded.lag.worst_seconds:.2f}",
                f"{run.recorded.catch_up_seconds:.2f}",
            ]


def _roles(result: Result) -> list[str]:
    return list(dict.fromkeys(role for run in result.runs for role in run.uses))


def _processor(result: Result) -> Iterable[list[str]]:
    for case, mode, summary in _summaries(result):
        used = summary.cpu_ms_per_request
        cells = [f"{used[role]:.2f}" if role in used else "" for role in _roles(result)]
        yield [f"`{case}`", mode, *cells, f"{summary.other_cores:.2f}"]


def _memory(result: Result) -> Iterable[list[str]]:
    for mode in Mode:
        runs = [summary for _, each, summary in _summaries(result) if each is mode]
        cells = [
            f"{max((s.rss_mib[role] for s in runs if role in s.rss_mib), default=0):.0f}"
            for role in _roles(result)
        ]
        yield [mode, *("" if cell == "0" else cell for cell in cells)]


def _verdict(result: Result) -> str:
    faults = result.faults()
    if not faults:
        return (
            "Every answer was below 400, history holds every answered call once, was complete "
            "within 2 s, and every case keeps at least 60 % of its rate.\n"
        )
    return "Not met:\n\n" + "\n".join(f"- {fault}" for fault in faults) + "\n"
