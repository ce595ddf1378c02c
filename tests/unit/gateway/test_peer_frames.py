"""What gateways say to each other, as bytes."""

from __future__ import annotations

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
    assert frames.read_endpoint(frames.endpoint(5, key)[frames.S_SERVICE.size :]) == key
    said = frames.read_hello(frames.hello("g1", 9091)[frames.HEAD.size :])
    assert (said.version, said.id, said.port) == (frames.VERSION, "g1", 9091)
    with pytest.raises(frames.FrameError, match="not a gateway's hello"):
        frames.read_hello(b"GET / HTTP/1.1")
