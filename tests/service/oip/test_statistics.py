from hypothesis import given
from hypothesis import strategies as st

from service.oip.numbers import is_number, number_of
from service.oip.statistics import Statistics, Times, unused

A, B = "a" * 32, "0" * 31 + "1"
TIMES = Times(queue=0.001, input=0.002, infer=0.004, output=0.008)


def test_images_runs_and_times_are_added_up() -> None:
    statistics = Statistics()
    for images in (1, 4, 4):
        statistics.succeeded("m", A, images, TIMES, now_s=1.5)
    (found,) = statistics.of("m", A)
    assert (found.inference_count, found.execution_count) == (9, 3)
    assert found.last_inference == 1500
    stages = found.inference_stats
    sums = (stages.queue, stages.compute_input, stages.compute_infer, stages.compute_output)
    assert [s.ns for s in sums] == [3_000_000, 6_000_000, 12_000_000, 24_000_000]
    assert stages.success.ns == sum(s.ns for s in sums)
    assert {s.count for s in (*sums, stages.success)} == {3}
    assert {b.batch_size: b.compute_infer.count for b in found.batch_stats} == {1: 1, 4: 2}


def test_failures_are_apart() -> None:
    statistics = Statistics()
    statistics.failed("m", A, 0.5)
    (found,) = statistics.of(None, None)
    assert (found.inference_stats.fail.count, found.inference_stats.fail.ns) == (1, 500_000_000)
    assert (found.inference_count, found.inference_stats.success.count) == (0, 0)


def test_they_are_told_by_model_and_version() -> None:
    statistics = Statistics()
    for model, version in (("m", A), ("m", B), ("n", A)):
        statistics.succeeded(model, version, 1, TIMES, now_s=0)
    assert len(statistics.of(None, None)) == 3
    assert [s.subnet_id for s in statistics.of("m", None)] == [A, B]
    assert [s.name for s in statistics.of("n", A)] == ["n"]
    assert statistics.of("n", B) == ()
    assert unused("n", B).inference_count == 0


def test_versions_not_used_for_long_are_forgotten() -> None:
    statistics = Statistics(limit=2)
    for version in (A, B, A, "c" * 32):
        statistics.failed("m", version, 0)
    assert [s.subnet_id for s in statistics.of("m", None)] == [A, "c" * 32]


@given(st.text("0123456789abcdef", min_size=32, max_size=32))
def test_a_sub_network_has_a_number_that_fits_64_bits(subnet_id: str) -> None:
    number = number_of(subnet_id)
    assert is_number(number)
    assert int(number) < 2**63
    assert not is_number(subnet_id)
