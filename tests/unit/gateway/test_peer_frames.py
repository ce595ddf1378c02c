"""What gateways say to each other, as bytes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain import api_errors as errors
from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_ticket import EndpointKey, Stage
from tidegate.domain.service import ServiceKey
from tidegate.domain.shared_flow import Held
from tidegate.gateway import peer_frames as frames

KEY = ServiceKey("n", "s")


@pytest.mark.parametrize(
    "error",
    [
        errors.overload(KEY, 129, 128, 7),
        errors.bytes_overload(KEY, 10, 3),
        errors.queue_timeout(KEY, 120, 60),
        errors.cold_start_timeout(KEY, 300, 5, "the scale is forbidden"),
        errors.suspended(KEY),
        errors.too_large(11, 10),
    ],
    ids=lambda error: error.code,
)
def test_a_refusal_is_the_same_at_the_other_gateway(error: ApiError) -> None:
    frame = frames.end(3, 4, error)
    assert frames.HEAD.unpack_from(frame)[0] == len(frame)
    found = frames.read_error(frame[frames.S_TICKET.size :])
    assert found == error
    assert found.outcome is error.outcome


def test_a_reason_of_any_length_fits_a_frame() -> None:
    long = errors.cold_start_timeout(KEY, 300, 5, "x" * 100_000)
    assert len(frames.end(3, 4, long)) <= frames.LONGEST


@given(
    st.builds(
        Held,
        st.sampled_from([Stage.ASKED, Stage.READING, Stage.WAITING, Stage.RUNNING]),
        st.booleans(),
        st.integers(0, 2**40),
        st.floats(0, 1e6),
        st.floats(0, 1e6),
        st.integers(-100, 100),
        st.integers(0, 2**64 - 1),
        st.none(),
    )
)
def test_a_report_arrives_as_it_was(held: Held) -> None:
    assert frames.read_report(b"xx" + frames.report(1, 2, held, 9), 2) == (1, 2, held, 9)


def test_an_endpoint_and_a_hello_arrive_as_they_were() -> None:
    key = EndpointKey("uid", 3, "fd00::1", 8000)
    frame = frames.endpoint(5, key)
    assert frames.read_endpoint(b"xx" + frame + b"yy", 2, len(frame)) == (5, key)
    said = frames.read_hello(frames.hello("g1", 9091)[frames.HEAD.size :])
    assert (said.version, said.id, said.port) == (frames.VERSION, "g1", 9091)
    with pytest.raises(frames.FrameError, match="not a gateway's hello"):
        frames.read_hello(b"GET / HTTP/1.1")


@pytest.mark.parametrize("waited", [math.nan, math.inf, -math.inf])
def test_a_report_without_a_time_to_reckon_with_is_refused(waited: float) -> None:
    held = Held(Stage.WAITING, True, 1, waited, 0.0, 0, 0, None)
    with pytest.raises(frames.FrameError, match="cannot have waited"):
        frames.read_report(frames.report(1, 2, held, frames.NO_ENDPOINT), 0)


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_gateway_without_a_short_id_is_refused(name: str) -> None:
    with pytest.raises(frames.FrameError, match="is no gateway's"):
        frames.read_hello(frames.hello(name, 1)[frames.HEAD.size :])


def test_an_endpoint_too_many_is_refused() -> None:
    frame = frames.endpoint(frames.NAMES, EndpointKey("uid", 0, "h", 1))
    with pytest.raises(frames.FrameError, match="one too many"):
        frames.read_endpoint(frame, 0, len(frame))
