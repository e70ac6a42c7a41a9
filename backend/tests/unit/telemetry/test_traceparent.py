"""Trace context as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import INVALID_SPAN, get_current_span, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from madang.telemetry import current_traceparent, is_sampled, parse_traceparent, traceparent_of
from tests.unit.telemetry.builders import SAMPLED, SPAN_ID, TRACE_ID, UNSAMPLED


def test_traceparent_comes_back_as_it_was_written() -> None:
    for text in (SAMPLED, UNSAMPLED):
        context = parse_traceparent(text)
        assert traceparent_of(get_current_span(context)) == text
        assert get_current_span(context).get_span_context().is_remote
    assert is_sampled(SAMPLED)
    assert not is_sampled(UNSAMPLED)


def test_traceparent_of_no_span_is_empty() -> None:
    assert traceparent_of(INVALID_SPAN) == ""
    assert current_traceparent() == ""


def test_child_of_a_parsed_traceparent_continues_its_trace() -> None:
    tracer = TracerProvider(ALWAYS_ON).get_tracer("test")
    span = tracer.start_span("ship", context=parse_traceparent(SAMPLED))
    with use_span(span, end_on_exit=True):
        assert current_traceparent().startswith(f"00-{TRACE_ID}-")
        assert is_sampled(current_traceparent())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        SAMPLED.upper(),
        SAMPLED + "-extra",
        SAMPLED + "\n",
        SAMPLED[:-1],
        "ff" + SAMPLED[2:],
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        SAMPLED.replace("-01", "-0g"),
        "01" + SAMPLED[2:] + "extra",
        "01" + SAMPLED[2:] + "-" + "x" * 512,
    ],
)
def test_traceparent_that_is_none_is_refused(text: str) -> None:
    assert parse_traceparent(text) is None
    assert not is_sampled(text)


hexadecimal = st.text("0123456789abcdef", min_size=1, max_size=33)
almost = st.builds(
    "{}-{}-{}-{}{}".format,
    st.sampled_from(["00", "01", "cc", "ff", "0"]),
    st.sampled_from([TRACE_ID, "0" * 32]) | hexadecimal,
    st.sampled_from([SPAN_ID, "0" * 16]) | hexadecimal,
    st.sampled_from(["00", "01", "02", "03", "ff", "1"]),
    st.sampled_from(["", "-", "-more", "more"]),
)


@given(text=almost | st.text())
def test_traceparent_is_read_as_the_standard_propagator_reads_it(text: str) -> None:
    expected = TraceContextTextMapPropagator().extract({"traceparent": text})
    span = get_current_span(expected).get_span_context()
    found = parse_traceparent(text.strip(" \t"))
    if found is None:
        assert not span.is_valid
        return
    ours = get_current_span(found).get_span_context()
    assert (ours.trace_id, ours.span_id) == (span.trace_id, span.span_id)
    assert ours.trace_flags.sampled == span.trace_flags.sampled == is_sampled(text.strip(" \t"))
