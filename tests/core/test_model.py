"""Names, sizes, periods, profiles and estimates: what is accepted, and how a fault is said."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from jupyter_mlops.core import errors
from jupyter_mlops.core.base import Name, Period, parse_period, parse_size, read_input, read_record
from jupyter_mlops.core.errors import InvalidSpec, MlopsError, NotFound, OutOfRange, UnknownGroup, UnknownProfile
from jupyter_mlops.core.estimate import Quote, Quotes, estimate, time_left, worker_at_most
from jupyter_mlops.core.price import REFERENCE, Price
from jupyter_mlops.core.profile import MOST_WORKERS, Group, Limits, Profile
from jupyter_mlops.core.schema import SHARED, schema

NAME = TypeAdapter(Name)
PERIOD = TypeAdapter(Period)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2 GiB", 2 * 1024**3),
        ("2Gi", 2 * 1024**3),
        ("2g", 2 * 10**9),
        ("500 MB", 500 * 10**6),
        ("1.5kb", 1500),
        (" 10 kB ", 10_000),
        ("7B", 7),
        ("1 TiB", 1024**4),
        (12, 12),
    ],
)
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


@given(st.integers(1, 10**6), st.sampled_from(["k", "M", "G", "T", "P"]), st.sampled_from(["", "i"]))
def test_sizes_are_units_times_numbers(number: int, unit: str, binary: str) -> None:
    power = "kMGTP".index(unit) + 1
    assert parse_size(f"{number} {unit}{binary}B") == number * (1024 if binary else 1000) ** power


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2 GX", "unknown unit"),
        ("1 zb", "unknown unit"),
        ("2", "has no unit; write it like '2 GiB'"),
        (" 2.5 ", "has no unit"),
        ("1,5 GiB", "write it like '1.5 GiB'"),
        ("two", "is no amount of memory; write it like '2 GiB'"),
    ],
)
def test_what_is_no_size_is_told_how_to_write_one(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("20", "has no unit; write it like '20 min'"),
        ("1.5", "has no unit"),
        ("1,5 h", "write it like '1.5 h'"),
        ("soon", "is no length of time; write it like '20 min'"),
    ],
)
def test_what_is_no_period_is_told_how_to_write_one(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_period(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20 min", 1200),
        ("90s", 90),
        ("8 h", 28800),
        ("1d", 86400),
        ("1.5m", 90),
        ("1h30m", 5400),
        ("1h 30 min", 5400),
        (7, 7),
    ],
)
def test_periods(text: object, seconds: float) -> None:
    assert parse_period(text) == seconds


@pytest.mark.parametrize(
    "bad", ["soon", "20", "-3 s", "5m 1h", "1h 2h", "1h30", "0 s", 0, -1, math.inf, math.nan, None]
)
def test_what_is_no_period_is_refused(bad: object) -> None:
    with pytest.raises(ValidationError):
        PERIOD.validate_python(bad)


@given(st.text(max_size=60))
def test_a_name_is_valid_everywhere(text: str) -> None:
    try:
        NAME.validate_python(text)
    except ValidationError:
        return
    assert re.fullmatch(r"[a-z][a-z0-9-]*", text)
    assert len(text) <= 48
    assert not text.endswith(("-", "\n"))


@pytest.mark.parametrize("bad", ["", "-a", "a-", "A", "1a", "a_b", "a/b", "..", "a" * 49, "a\n", "ä"])
def test_names_that_are_not(bad: str) -> None:
    with pytest.raises(ValidationError):
        NAME.validate_python(bad)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"workers": 9}, "maximum must be at least the 9 workers to start with (got 8)"),
        ({"workers": 1, "minimum": 2}, "minimum must be at most the 1 worker to start with (got 2)"),
        ({"cpus": 0}, "cpus must be more than 0 (got 0)"),
        ({"cpus": "1,5"}, "cpus must be a number, written with a point: 1.5"),
        ({"cpus": math.inf}, "cpus must be 1024 at most"),
        ({"memory": "2 GX"}, "memory has an unknown unit; write it like '2 GiB' (got '2 GX')"),
        ({"memory": "2"}, "memory has no unit; write it like '2 GiB' or '500 MB' (got '2')"),
        ({"memory": 2}, "memory is less than a worker takes by itself, which is 100 MB (got 2)"),
        ({"memory": None}, "memory is missing; write it like '2 GiB'"),
        ({"memory": -1}, "memory must be more than 0"),
        ({"maximum": MOST_WORKERS + 1}, "maximum must be 5000 at most"),
        ({"wokers": 2}, "'wokers' is not a known field"),
        ({"name": "Big"}, "name may have up to 48 small letters"),
        ({"workers": "many"}, "workers must be a whole number (got 'many')"),
        ({"workers": 1.5}, "workers must be a whole number (got 1.5)"),
        ({"workers": None}, "workers is missing: it must be a whole number"),
    ],
)
def test_faults_are_said_in_words(data: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidSpec) as error:
        read_input(Group, data)
    assert said in error.value.why
    assert error.value.what == "This group isn't valid"


def test_each_field_that_is_wrong_has_its_place() -> None:
    """A form shows what is wrong beside it."""
    with pytest.raises(InvalidSpec) as error:
        read_input(
            Profile,
            {
                "name": "p",
                "groups": [{"workers": 9}, {"name": "b", "memory": "2"}],
                "environment": {"FOO BAR": "1"},
                "limits": {"idle_timeout": "20"},
            },
        )
    found = {fault.at: fault.words for fault in error.value.faults}
    assert list(found) == ["groups.0.maximum", "groups.1.memory", "environment", "limits.idle_timeout"]
    assert found["environment"].startswith("can't have 'FOO BAR' as a name")


def test_what_is_odd_is_refused_to_people_and_read_from_records() -> None:
    odd = {"name": "p", "groups": [{"memory": 5000}], "environment": {"FOO BAR": "1"}}
    with pytest.raises(InvalidSpec):
        read_input(Profile, odd)
    profile = read_record(Profile, odd)
    assert (profile.groups[0].memory, profile.environment) == (5000, {"FOO BAR": "1"})


def test_a_profile_needs_different_groups() -> None:
    with pytest.raises(InvalidSpec, match="different names, got a, a"):
        read_input(Profile, {"name": "p", "groups": [{"name": "a"}, {"name": "a"}]})
    with pytest.raises(InvalidSpec, match="groups"):
        read_input(Profile, {"name": "p", "groups": []})


OLD = {
    "name": "survey",
    "groups": [{"name": "gpu", "pod": {"spec": {"nodeSelector": {"disk": "fast"}}}}, {"name": "cpu", "pod": {}}],
    "kubernetes": {"context": "", "namespace": "ml", "tls": False},
}


@pytest.mark.parametrize("read", [read_input, read_record])
def test_options_that_0_1_0_wrote_are_read(read: Any) -> None:
    profile = read(Profile, {**OLD, "place": "kubernetes"})
    assert profile.options == OLD["kubernetes"]
    assert [group.options for group in profile.groups] == [{"pod": {"spec": {"nodeSelector": {"disk": "fast"}}}}, {}]
    assert read(Profile, profile.model_dump()) == profile
    local = read(Profile, OLD)  # where they stood, too, and meant nothing
    assert (local.options, [group.options for group in local.groups]) == ({}, [{}, {}])
    with pytest.raises(InvalidSpec, match=r"'groups\.0\.pot' is not a known field"):
        read_input(Profile, {**OLD, "groups": [{"pot": {}}]})


def test_groups_are_found_by_name() -> None:
    profile = Profile(name="p", groups=[Group(name="small"), Group(name="big")])
    assert profile.group().name == "small"
    assert profile.group("big").name == "big"
    with pytest.raises(UnknownGroup, match="Did you mean 'small'"):
        profile.group("smal")
    with pytest.raises(OutOfRange, match="its profile allows 0 to 8"):
        profile.group().check(9)


def test_not_found_suggests() -> None:
    assert "Did you mean 'flights'?" in str(UnknownProfile.named("flihgts", ["flights", "survey"]))
    assert str(UnknownProfile.named("x", ["flights"])) == "There is no profile named 'x'. There is: flights."
    assert "There are: a1, a2" in str(UnknownProfile.named("zzz", ["a2", "a1"]))
    assert str(UnknownProfile.named("x", [])) == "There is no profile named 'x'."


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=30))
def test_suggestions_never_fail(name: str, known: list[str]) -> None:
    assert name.__repr__() in str(NotFound.named(name, known))


def test_errors_have_three_parts_and_one_sentence() -> None:
    error = OutOfRange("It can't", "there is no room", "Ask for less.")
    assert str(error) == "It can't: there is no room. Ask for less."
    assert str(MlopsError("Really?")) == "Really?"
    import pickle

    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.what, again.why, again.todo) == (OutOfRange, error.what, error.why, error.todo)


def test_every_error_says_what_it_means() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, MlopsError)]
    assert len(classes) > 25
    assert all(cls.__doc__ for cls in classes)
    drawn = errors.__doc__ or ""
    missing = [cls.__name__ for cls in classes if cls.__name__ not in drawn]
    assert not missing, f"not in the tree of the module's docstring: {missing}"


def test_what_is_held_for_a_worker_is_no_less_than_it_may_cost() -> None:
    group = Group(cpus=4, memory=16 * 10**9, spot=True)
    assumed = 1.25 * (REFERENCE.per_hour(4, 16 * 10**9, 0) or 0.0)
    spot, both = Quote(group="default", per_hour=0.05), Quote(group="default", per_hour=0.05, at_most=0.2)
    assert worker_at_most(group, both, Price(), REFERENCE) == 0.2
    assert assumed > 0.05 and worker_at_most(group, spot, Price(), REFERENCE) == pytest.approx(assumed), "not on spot"
    assert worker_at_most(group, spot, Price(), None) == 0.05, "nothing is assumed"
    assert worker_at_most(group, None, Price(cpu_hour=0.1), REFERENCE) == pytest.approx(0.4)


def test_estimates_of_machines() -> None:
    groups = [Group(name="a", workers=2, maximum=4), Group(name="b", workers=0, maximum=3, spot=True)]
    profile = Profile(name="p", groups=groups, limits=Limits(lifetime=3600))
    a = Quote(group="a", per_hour=0.1, at_most=0.1, whole=0.4, source="m5 in here: a list", date="2026-11-01")
    b = Quote(group="b", per_hour=0.02, at_most=0.1, whole=0.1, source="m5 spot in here: a list", date="2026-11-01")
    found = estimate(profile, Price(), REFERENCE, Quotes(groups=[a, b], asked=1.0))
    assert (found.at_start, found.at_most) == (pytest.approx(0.2), pytest.approx(0.7)), "spot may become on demand"
    assert (found.most, found.whole, found.tail) == (pytest.approx(0.7), 0.4, pytest.approx(0.4 / 6))
    assert (found.source, found.date) == (f"{a.source}; {b.source}", "2026-11-01") and found.reference is None
    unknown = Quote(group="b", source="no spot node that is there takes it")
    found = estimate(profile, Price(), REFERENCE, Quotes(groups=[a, unknown], asked=1.0))
    assert found.at_start == pytest.approx(0.2) and found.at_most is None, "nothing is guessed"
    found = estimate(profile, Price(), REFERENCE, Quotes(why="Kubernetes doesn't answer"))
    assert (found.at_start, found.asked, found.source) == (None, None, "Kubernetes doesn't answer")


def test_estimates() -> None:
    group = Group(workers=2, maximum=4, cpus=2, memory=4 * 10**9)
    profile = Profile(name="p", groups=[group], limits=Limits(lifetime=7200, budget=100))
    price = Price(cpu_hour=1, gb_hour=0.5)
    found = estimate(profile, price, REFERENCE)
    assert (found.at_start, found.at_most, found.most) == (8, 16, 32)
    assert (found.cpus, found.memory_gb) == (4, 8)
    assert estimate(profile, Price(), REFERENCE).at_start is None
    assert found.reference is None and estimate(profile, Price(), REFERENCE).reference is not None
    assert estimate(profile, Price(), REFERENCE).most is None, "unknown is not free, and not bounded"
    cheap = profile.model_copy(update={"limits": Limits(lifetime=None, budget=5)})
    assert estimate(cheap, price, REFERENCE).most == 5
    endless = profile.model_copy(update={"limits": Limits(lifetime=None)})
    assert estimate(endless, price, REFERENCE).most is None


@given(st.none() | st.integers(0, 10**9), st.integers(-1, 10**9), st.floats(0, 1e9), st.floats(0, 1e9))
def test_time_left_is_never_negative(total: int | None, done: int, started: float, now: float) -> None:
    left = time_left(total, done, started, now)
    assert left is None or left >= 0


def test_time_left_follows_the_speed() -> None:
    assert time_left(100, 25, 0, 10) == 30
    assert time_left(None, 25, 0, 10) is None
    assert time_left(100, 1, 0, 10) is None, "the first item alone says nothing of the speed"


def test_an_older_file_that_says_that_no_price_is_set_is_a_price_of_nobody() -> None:
    assert Price.model_validate({"currency": "EUR", "source": "no price is set", "date": ""}) == Price(currency="EUR")
    assert Price().source is None
    assert Price.model_validate({"cpu_hour": 1, "source": "mine"}).source == "mine"


def test_the_schema_names_every_shared_class() -> None:
    document = schema()
    assert set(document["properties"]) == {class_.__name__ for class_ in SHARED}
    for part in document["properties"].values():
        assert part["$ref"].rpartition("/")[2] in document["$defs"]
