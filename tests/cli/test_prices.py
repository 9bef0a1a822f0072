"""Prices and accounts on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlops.cli.main import main
from jupyter_mlops.cli.show import accounts_table, clusters_table, receipt_text, runs_table
from jupyter_mlops.client.words import cost_so_far
from jupyter_mlops.core.cluster import ClusterState, Receipt
from jupyter_mlops.core.owners import accounts
from jupyter_mlops.core.price import Cost, Dedicated, Price, Usage
from jupyter_mlops.core.run import RunState, per_thousand
from jupyter_mlops.home import settings

CSV = "InstanceType,Region,Price,SpotPrice\nm5.xlarge,us-east-1,0.192,0.07\nm5.large,us-east-1,0.096,\n"

Say = Callable[..., tuple[int, str]]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["prices", *arguments])
        written = capsys.readouterr()
        return code, written.out + written.err

    return run


def test_prices_by_hand_and_lists(say: Say, tmp_path: Path) -> None:
    assert say() == (0, "No prices but those that come with libcloud.\n")
    file = tmp_path / "aws.csv"
    file.write_text(CSV)
    code, text = say("import", str(file))
    assert code == 0 and text.startswith("aws.csv: 2 prices of 2 instance types, of 20")
    assert say("set", "p4d.24xlarge", "12.5")[0] == 0
    assert settings.load().kinds == {"p4d.24xlarge": 12.5}
    lines = say()[1].splitlines()
    assert [line.split()[0] for line in lines] == ["WHAT", "p4d.24xlarge", "aws.csv"]
    assert json.loads(say("--json")[1])["lists"][0]["kinds"] == 2

    file.write_text(CSV + "m5.huge,us-east-1,a lot,\n")
    code, text = say("import", str(file))
    assert (code, text.split(":")[0]) == (2, "Line 4 of aws.csv isn't valid")
    assert say("import", str(tmp_path / "none.csv"))[0] == 2
    code, text = say("set", "m5.large", "-1")
    assert code == 2 and "kinds.m5.large must be 0 at least" in text
    assert say("set", "m5.large")[0] == 2

    settings.save(settings.load().model_copy(update={"price": Price(currency="EUR")}))
    assert say("set", "m5.large", "0.1")[0] == 0
    lines = say()[1].splitlines()
    assert "€0.10/h" in lines[1] and "$12.50/h" in lines[2], "what was said in dollars is no euros now"

    assert say("exchange", "eur", "0.92") == (0, "$1.00 is €0.92, in clusters that start from now on.\n")
    assert say("discount", "18")[0] == 0
    assert say("discount", "much")[0] == say("discount", "100")[0] == say("exchange", "EUR", "-1")[0] == 2
    assert "€0.92" in (text := say()[1]) and "− 18 %" in text and "set by" in text
    adjust = settings.load().adjust
    assert adjust.exchange is not None and adjust.discount is not None
    assert (adjust.exchange.rate, adjust.discount.percent) == (0.92, 18)
    assert say("remove", "exchange")[0] == say("remove", "discount")[0] == 0
    assert settings.load().adjust.exchange is None

    assert say("remove", "p4d.24xlarge")[0] == say("remove", "aws.csv")[0] == 0
    assert say("remove", "aws.csv") == (2, "There is no price list named 'aws.csv'.\n")


def state(name: str, owner: str, cost: Cost, phase: str = "running") -> ClusterState:
    return ClusterState(
        name=name, place="kubernetes", profile="p", owner=owner, phase=phase, created=0, cost=cost
    )  # fmt: skip


def test_each_owner_has_an_account() -> None:
    half = Cost(amount=3, per_hour=1, usage=Usage(cpu_hours=20), unknown=Usage(cpu_hours=12))
    over = Cost(amount=2, per_hour=9, usage=Usage(cpu_hours=5))
    euros = Cost(amount=7, per_hour=1, currency="EUR")
    nothing = Cost(usage=Usage(cpu_hours=4))
    states = [
        state("a", "ann", half),
        state("b", "bob", nothing),
        state("c", "ann", over, "ended"),
        state("d", "ann", euros),
    ]
    ann, again, bob = sorted(accounts(states), key=lambda account: (account.owner, account.cost.currency != "USD"))
    assert (ann.clusters, ann.live, ann.cost.amount, ann.cost.per_hour) == (2, 1, 5, 1)
    assert cost_so_far(ann.cost) == "$5.00 + 12.0 CPU-hours unknown"
    assert (again.cost.currency, again.cost.amount) == ("EUR", 7), "currencies aren't added up"
    assert (bob.cost.amount, bob.cost.unknown.cpu_hours, cost_so_far(bob.cost)) == (None, 4, "unknown")
    rows = accounts_table(accounts(states)).splitlines()
    assert rows[0].split() == ["OWNER", "CLUSTERS", "LIVE", "CPU-HOURS", "PER", "HOUR", "COST", "WENT", "TO"]
    assert len(rows) == 4


def test_what_is_only_partly_known_is_not_told_as_the_whole() -> None:
    cost = Cost(amount=0.0004, per_hour=0.1, unpriced=3, unknown=Usage(cpu_hours=2, worker_hours=1))
    states = [state("a", "ann", cost), state("b", "ann", Cost(unpriced=4)), state("c", "ann", cost, "ended")]
    rows = clusters_table(states, 1.0).splitlines()
    assert "$0.10 + 3 workers unknown" in rows[1] and "workers unknown" not in rows[2] + rows[3]
    assert "$0.10 + 7 workers unknown" in accounts_table(accounts(states)).splitlines()[1]
    run = RunState(id="0123456789ab", name="r", kind="map", cluster="a", owner="ann", created=0, done=5, cost=cost)
    assert per_thousand(run) is None and "< $0.01 + 2.0 CPU-hours unknown" in runs_table([run], 1.0)


def test_a_receipt_says_what_whole_nodes_cost() -> None:
    cost = Cost(
        amount=3.1,
        source="m5.xlarge in us-east-1: aws.csv",
        date="2026-11-01",
        usage=Usage(cpu_hours=30),
        unknown=Usage(cpu_hours=12),
        dedicated=Dedicated(amount=9.2, host_hours=50, unknown_hours=2),
    )
    receipt = Receipt(
        name="c", place="kubernetes", owner="ann", profile="p", created=0, ended=60, cause="user", cost=cost
    )
    text = receipt_text(receipt)
    assert "Cost          $3.10 + 12.0 CPU-hours unknown\n" in text
    assert "Whole nodes   $9.20 + 2.0 node-hours unknown (50.0 node-hours)\n" in text
    assert "Price         m5.xlarge in us-east-1: aws.csv, 2026-11-01\n" in text
