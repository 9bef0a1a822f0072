"""`%mlcluster`."""

from __future__ import annotations

import argparse
import time
from typing import Any

from IPython.core.getipython import get_ipython

from ..client.clusters.handle import Cluster, cluster, cluster_sentence, clusters, group_lines, start
from ..client.clusters.kernel import kernel, loop_thread
from ..client.clusters.listing import list_clusters
from ..client.clusters.others import check_meant
from ..client.clusters.problems import problem_sentence, problems_of
from ..client.runs.options import parse_workers
from ..client.runs.split import without_remark
from ..client.words import let_go_sentence, limits_sentence
from ..core.errors import InvalidSpec
from ..core.extend import LimitChange
from ..core.naming import owned, spelled
from .errors import hide_own_frames


def run_line(parser: Any, line: str) -> Any:
    """Do what the line says; returns what is shown."""
    return hide_own_frames(get_ipython(), lambda: _act(_read(parser, line)))


def _read(parser: Any, line: str) -> argparse.Namespace:
    try:
        args: argparse.Namespace = parser.parse_argstring(without_remark(line))
    except ValueError as error:
        raise InvalidSpec(f"{line.strip()!r} can't be read", str(error).lower(), "Close the quote.") from None
    return args


def _act(args: argparse.Namespace) -> Any:
    actions = {
        "list": _list,
        "select": _select,
        "start": _start,
        "stop": _stop,
        "scale": _scale,
        "let-go": _let_go,
        "limit": _limit,
        "show": _show,
    }
    return actions[args.action](args)


def _list(args: argparse.Namespace) -> None:
    live = clusters()
    if not live and not live.silent:
        print("No cluster is running. Start one with: %mlcluster start")
    states = [each.state() for each in live]
    exact = spelled(states)
    width = max(map(len, exact.values()), default=0)
    for state in states:
        mark = "→" if state.id == kernel().selected else " "
        others = "" if state.mine else f"{owned(state)} · "
        print(f"{mark} {exact[state.id]:{width}}  {others}{cluster_sentence(state)}")
    for silent in live.silent:
        print(problem_sentence("", silent.described(time.time())))


def _select(args: argparse.Namespace) -> None:
    chosen = cluster(_one(args, "select"))
    kernel().selected = chosen.id
    print(f"Cells run on {chosen.name!r} from now on.")


def _start(args: argparse.Namespace) -> Cluster:
    profile = args.target[0] if args.target else None
    made = start(profile, name=args.name, workers=args.workers, sync=args.sync)
    kernel().selected = made.id
    return made


def _stop(args: argparse.Namespace) -> None:
    name = _one(args, "stop")
    chosen = cluster(name)
    if name is not None:
        listing = loop_thread().call(list_clusters())
        check_meant(name, listing.named(chosen.id), listing.clusters)
    chosen.stop()
    if kernel().selected == chosen.id:
        kernel().selected = None
    print(f"{chosen.name!r} is stopping.")


def _scale(args: argparse.Namespace) -> None:
    if not 1 <= len(args.target) <= 2:
        raise InvalidSpec("scale needs a number of workers", "", "Write: %mlcluster scale NAME 4, or scale NAME 2:8.")
    chosen = cluster(args.target[0] if len(args.target) == 2 else None)
    workers = parse_workers(args.target[-1])
    if isinstance(workers, tuple):
        chosen.adapt(*workers, group=args.group)
        print(f"{chosen.name!r} follows the work, with {workers[0]} to {workers[1]} workers.")
    else:
        chosen.scale(workers, group=args.group)
        print(f"{chosen.name!r} is scaled to {workers} workers.")


def _let_go(args: argparse.Namespace) -> None:
    chosen = cluster(_one(args, "let-go"))
    print(f"{chosen.name!r}: {let_go_sentence(chosen.let_go(group=args.group, n=args.workers))}.")


def _limit(args: argparse.Namespace) -> None:
    chosen = cluster(_one(args, "limit"))
    chosen.limit(**LimitChange.typed(args.budget, args.lifetime).model_dump())
    print(f"{chosen.name!r} {limits_sentence(chosen.state())}.")


def _show(args: argparse.Namespace) -> None:
    chosen = cluster(args.target[0] if args.target else None)
    state = chosen.state()
    print(f"{chosen.name}: {cluster_sentence(state)}")
    for line in group_lines(state):
        print(f"  {line}")
    if state.spend is not None and state.spend.sentence:
        print(f"  went to: {state.spend.sentence}")
    for group, problem in problems_of(state):
        print(f"  ! {problem_sentence(group, problem)}")
    for event in chosen.events()[-5:]:
        print(f"  {event.text}")
    print(f"  dashboard: {chosen.dashboard_link}")


def _one(args: argparse.Namespace, action: str) -> str | None:
    if len(args.target) > 1:
        raise InvalidSpec(f"{action} takes one cluster", f"got {', '.join(args.target)}", "")
    return args.target[0] if args.target else None
