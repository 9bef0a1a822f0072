"""The command line: arguments, and which command they mean."""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from .._version import __version__
from ..core.errors import InvalidInput, MlopsError, NotFound
from ..core.unhandled import log_unhandled
from .harmless import harmless_output
from .image import add_image

#: Exit codes: what was asked for is wrong (as argparse's own), and it could not be done.
WRONG, FAILED = 2, 1

#: As shells say that a command was interrupted.
INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    """The arguments of all commands."""
    top = argparse.ArgumentParser(prog="jupyter mlops", description="Dask clusters, runs and their cost.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, help_: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help_, description=help_)
        command.add_argument("--json", action="store_true", help="print JSON instead of a table")
        return command

    command = add("list", "List clusters, wherever they were made.")
    command.add_argument("-a", "--all", action="store_true", help="ended ones too")
    command.add_argument("--costs", action="store_true", help="what each owner's clusters cost, ended ones too")
    command = add("profiles", "List profiles, the last used one first.")
    command = add("start", "Start a cluster.")
    command.add_argument("profile", nargs="?", help="as `jupyter mlops profiles` lists them; default: the last used")
    command.add_argument("-n", "--name", help="of the cluster; default: made from the profile's")
    command.add_argument("-w", "--workers", type=int, help="how many to start with")
    command.add_argument("-g", "--group", help="the group that --workers is about; default: the first")
    command.add_argument("--no-wait", action="store_true", help="don't wait for the workers")
    command = add("scale", "Set the number of workers of a cluster.")
    command.add_argument("cluster")
    command.add_argument("workers", type=int)
    command.add_argument("-g", "--group", help="default: the first")
    command.add_argument("--now", action="store_true", help="don't wait for what the workers run")
    command = add("let-go", "Let workers go that have long been idle.")
    command.add_argument("cluster")
    command.add_argument("-g", "--group", help="default: the first")
    command.add_argument("-n", "--workers", type=_positive, help="how many at most; default: all")
    command = add("adapt", "Let the number of workers of a cluster follow its work.")
    command.add_argument("cluster")
    command.add_argument("minimum", type=int)
    command.add_argument("maximum", type=int)
    command.add_argument("-g", "--group", help="default: the first")
    command = add("limit", "Give a live cluster more money or time, or less.")
    command.add_argument("cluster")
    command.add_argument("-b", "--budget", help="money: 30 in all, +10 more")
    command.add_argument("-l", "--lifetime", help="time since its start: 30h in all, +1h more")
    command = add("stop", "Stop clusters.")
    command.add_argument("cluster", nargs="*")
    command.add_argument("-a", "--all", action="store_true", help="all of yours that live")
    command.add_argument(
        "-f", "--force", action="store_true", help="without asking the cluster; also one of somebody else"
    )
    command = add("logs", "Show the last lines of a cluster's or a worker's log.")
    command.add_argument("cluster")
    command.add_argument("worker", nargs="?", help="dead or alive; default: the scheduler")
    command.add_argument("-n", "--lines", type=_positive, default=200, help="how many (default: %(default)s)")
    command.add_argument("-f", "--follow", action="store_true", help="go on showing what comes")
    command = add("runs", "List runs, newest first, or show one.")
    command.add_argument("run", nargs="?", help="only this one, with what it used: its id, or the beginning of it")
    command.add_argument("-c", "--cluster", help="of this cluster only")
    command.add_argument("-n", "--limit", type=_positive, default=20, help="how many (default: %(default)s)")
    command = add("cancel", "Cancel a run: stop its code.")
    command.add_argument("run", help="its id, or the beginning of it")
    command = add("forget", "Remove runs that are over from the history; MLflow keeps what it has.")
    command.add_argument("run", nargs="+", help="its id, or the beginning of it")
    command = add("receipt", "Show what a cluster that ended cost.")
    command.add_argument("cluster")
    command = add("costs", "Show or export what a month cost, what it will, and what was saved.")
    command.add_argument("-m", "--month", help="2026-11, in UTC; default: the current one")
    ways = ["cluster", "owner", "profile", "run"]
    command.add_argument("-b", "--by", default="cluster", choices=ways, help="what lines are of (default: %(default)s)")
    command.add_argument("-e", "--export", metavar="FILE", help="write it: *.csv, *.parquet, *.focus.csv or *.html")
    formats = ["csv", "parquet", "focus", "html"]
    command.add_argument("--as", dest="format", choices=formats, help="export: so, whatever FILE is called")
    command = add("prices", "Show or change the prices that clusters started from now on are priced by.")
    verbs = ["list", "import", "set", "exchange", "discount", "remove"]
    command.add_argument("what", nargs="?", default="list", choices=verbs)
    command.add_argument(
        "arguments",
        nargs="*",
        metavar="…",
        help="import FILE (CSV as SkyPilot's); set TYPE AMOUNT; exchange EUR 0.92 (what a dollar is); "
        "discount 18 (per cent of list prices); remove NAME, exchange or discount",
    )
    command = add("account", "Show the accounts that clusters hold money of, or set your own.")
    command.add_argument("what", nargs="?", default="list", choices=["list", "set", "remove"])
    command.add_argument("amount", nargs="?", help="set: money for a month, for all of your clusters in one place")
    command.add_argument("--profile", help="set, remove: of the place of this profile; default: this machine")
    command = add("models", "List models, show and promote their versions, and look whether they are as they were.")
    command.add_argument(
        "what",
        nargs="?",
        default="list",
        metavar="list|show|promote|verify|check|tag|untag|describe|TEXT",
        help="what to do (default: list); any other text lists the models that have it in name, owner, tags or "
        "description",
    )
    command.add_argument("name", nargs="?", help="of a model, or of a version: churn, churn@3; list: a text")
    command.add_argument("words", nargs="*", help="tag, untag: tags; describe: what the model is for; list: more text")
    command.add_argument("--owner", help="list: only those of this owner; describe: whose it is")
    command.add_argument("--tag", help="list: only those with this tag")
    command.add_argument("--why", default="", help="promote, tag, untag, describe: the reason, for the trail")
    command.add_argument("--override", default="", help="promote: why it is done though a gate fails")
    command = add("trail", "Show who did what to models and services, and whether that is as it was written.")
    command.add_argument("model", nargs="?", help="only of this one")
    command.add_argument(
        "-n", "--limit", type=_positive, default=20, help="how many, the last ones (default: %(default)s)"
    )
    _add_score(add)
    _add_replay(add)
    _add_pipeline(add)
    _add_services(add)
    _add_kubernetes(commands.add_parser("kubernetes", help="Rights that clusters on Kubernetes need."))
    add_image(commands.add_parser("image", help="Write a Dockerfile that has exactly this environment."))
    return top


def _add_score(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    command = add("score", "Have a version of a model answer all rows of files, on a cluster; run again, it goes on.")
    command.add_argument("model", help="churn (the champion), churn@3, churn@champion, churn@newest")
    command.add_argument("files", nargs="+", help="Parquet and CSV: paths, folders, patterns, URLs")
    command.add_argument("-o", "--out", required=True, metavar="FOLDER", help="for the answers; or a URL")
    command.add_argument("-k", "--keys", metavar="A,B", help="columns beside the answers; default: all others")
    command.add_argument("--chances", action="store_true", help="a column for the chance of each class, too")
    command.add_argument("--fresh", action="store_true", help="begin anew: remove what FOLDER has of scores")
    command.add_argument("-c", "--cluster", help="default: as for a run")
    command.add_argument("--detach", action="store_true", help="don't wait: it goes on by itself")


def _add_replay(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    command = add("replay", "Ask a version what a service was asked, on a cluster, before it sees traffic.")
    command.add_argument("model", help="churn@7, churn@newest, churn (the champion)")
    command.add_argument("--hours", type=float, default=24.0, help="how far back (default: %(default)g)")
    command.add_argument("--since", metavar="MOMENT", help='instead: "2026-11-27 08:00", of the clock here')
    command.add_argument("--service", help="whose requests; default: the one that serves the model")
    command.add_argument("-c", "--cluster", help="default: as for a run")


def _add_pipeline(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    command = add("pipeline", "Show, run or export the steps of a notebook, with no kernel open.")
    command.add_argument("what", choices=["list", "show", "run", "export", "schedule", "unschedule", "log"])
    command.add_argument("notebook", nargs="?", help="its path; or of a Python file whose cells begin with # %%%%")
    command.add_argument(
        "--since", metavar="STEP", help="run: compute this step and all that need it, whatever is kept"
    )
    command.add_argument("--until", metavar="STEP", help="run: only this step, and what it needs")
    command.add_argument("-c", "--cluster", help="run, schedule: default: as for a run")
    command.add_argument("--every", help="schedule: like '15 min', '2 h', '1 day at 02:00'")
    command.add_argument("--place", help="schedule: kubernetes, for one (default: the profile's, else this machine)")
    command.add_argument("--profile", help="schedule, in another place: of the clusters that it starts each time")
    command.add_argument("--zone", help="schedule, in another place: by whose clock (default: this machine's)")
    command.add_argument("--files", nargs="*", metavar="FILE", help="schedule, in another place: what it needs besides")
    command.add_argument("-o", "--out", metavar="FILE", help="export: default: print it")


#: What can be done with services.
_WHAT = ["list", "show", "watch", "label", "token", "revoke", "logs", "forget"]
_WHAT += ["retrain", "compare", "share", "pause", "resume", "promote", "rollback"]

#: How a version is tried beside the one that serves.
_CANARY = "try it beside the one that serves, with this share to begin with (default: 0.05); it goes on by itself"
_AB = "as --canary, with a share (default: 0.5) that stays until somebody decides"
_SHADOW = "ask it this part of what the one that serves is asked (default: 1), and compare; nobody gets its answers"


def _add_services(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    command = add("services", "List services, show one, and say who may call it.")
    command.add_argument(
        "what",
        nargs="?",
        default="list",
        choices=_WHAT,
    )
    command.add_argument("name", nargs="?", help="of a service")
    command.add_argument(
        "caller",
        nargs="?",
        metavar="caller|file|share",
        help="token, revoke: who gets a token, or has one that is taken back; label: a file with the columns id and "
        "label (.csv, .parquet, .json, .jsonl); share: what the version that is tried gets of the requests, 0 to 1",
    )
    command.add_argument("--why", default="", help="share to rollback, and retrain: the reason, for the trail")
    command.add_argument("--key", help="forget: not the service, only what the requests of this key left in its log")
    command.add_argument("-a", "--all", action="store_true", help="list: those that were stopped, too")
    command = add("deploy", "Have a version of a model answer at a stable address, or another version of it.")
    command.add_argument("model", help="churn (the champion), churn@3, churn@champion, churn@newest")
    command.add_argument("-n", "--name", help="of the service; default: the model's")
    command.add_argument("--place", help="local or kubernetes (default: where it lives already, else local)")
    command.add_argument(
        "--profile", help="of Kubernetes: its image, namespace and size of workers are those of replicas"
    )
    command.add_argument(
        "-r", "--replicas", type=_positive, help="processes or pods side by side (of a new service: 1)"
    )
    command.add_argument("-p", "--port", type=int, help="default: the one that it had, or any that is free")
    command.add_argument("--body", help="bytes of a request at most (default: '16 MB')")
    command.add_argument("--patience", help="time for an answer (default: '60 s')")
    command.add_argument("--window", help="time that what it is asked is counted for at least (default: '1 h')")
    command.add_argument("--log", type=float, help="the share of requests that is logged (of a new service: 0.1)")
    command.add_argument("--keep", help="time that what is logged is kept (default: '30 d')")
    command.add_argument("--private", nargs="*", metavar="FEATURE", help="features that are never logged")
    command.add_argument("--canary", nargs="?", type=float, const=True, default=False, metavar="SHARE", help=_CANARY)
    command.add_argument("--ab", nargs="?", type=float, const=True, default=False, metavar="SHARE", help=_AB)
    command.add_argument("--shadow", nargs="?", type=float, const=True, default=False, metavar="SHARE", help=_SHADOW)
    command.add_argument("--pipeline", metavar="NOTEBOOK", help="that retrains the model; default: where it was saved")
    command.add_argument("--retrain", choices=["by-hand", "on-alarm"], help="on-alarm: by itself, too; once a day")
    command.add_argument("--retrain-rows", type=_positive, help="new rows that this takes (default: 1000)")
    command.add_argument("--no-wait", action="store_true", help="don't wait until it answers")
    command.add_argument("--why", default="", help="the reason, for the trail")
    command = add("undeploy", "Stop services. What they were asked is answered before.")
    command.add_argument("name", nargs="+", help="of a service")
    command.add_argument("--why", default="", help="the reason, for the trail")


def _add_kubernetes(command: argparse.ArgumentParser) -> None:
    command.add_argument("what", choices=["check", "manifests"], help="what you may do; the YAML that an admin applies")
    command.add_argument("--context", default="", help="of the kubeconfig; default: the current one")
    command.add_argument("-n", "--namespace", default="", help="default: the context's")
    command.add_argument("--user", default="", help="manifests: for this user of the kubeconfig, or of the hub")
    command.add_argument("--service-account", default="", help="manifests: for this service account of the namespace")
    command.add_argument(
        "--hub", default="", help="manifests: the namespace of a JupyterHub, whose user gets a namespace for clusters"
    )
    command.add_argument(
        "--controller",
        default="",
        help="the service account that is ready for clusters of users who may not make roles, as a profile names it "
        "(options.service_account): check it too; manifests: make it",
    )
    command.add_argument(
        "--driver", default="", help="manifests: the service account that is ready for notebooks that run by "
        "themselves, as a profile names it (options.driver_account)",
    )  # fmt: skip
    command.add_argument(
        "--no-nodes", dest="nodes", action="store_false", help="manifests: without the right to read nodes and prices"
    )
    command.add_argument(
        "--room", action="store_true", help="manifests: with the right to see all pods, to say how much is free"
    )
    command.add_argument(
        "--operator", action="store_true", help="manifests: with the rights to DaskClusters, where their operator is"
    )
    command.add_argument(
        "--wall", action="store_true",
        help="manifests: those of the wall, and of a namespace behind it; with --hub, that of the hub's user",
    )  # fmt: skip
    command.add_argument(
        "--owner", default="", help="--wall: whose alone the namespace is, as rules name her; default: --user"
    )
    command.add_argument("--rules", default="", metavar="FILE", help="--wall: the administrator's rules that it keeps")
    command.add_argument("--image", default="", help="--wall: of its pod; default: Dask's")
    command.add_argument(
        "--most-cpus", default="", metavar="N", help="--wall: what may be asked for there at once: a ResourceQuota"
    )
    command.add_argument("--most-memory", default="", metavar="SIZE", help="--wall: as --most-cpus; like 800Gi")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal has no characters for is replaced
            stream.reconfigure(errors="replace")
    with harmless_output():
        return _obeyed(arguments)


def _obeyed(arguments: Sequence[str] | None) -> int:
    asked = parser().parse_args(arguments)
    try:
        from .commands import COMMANDS  # pydantic and what else: not for --help

        asyncio.run(_run(COMMANDS[asked.command](asked)))
    except MlopsError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG if isinstance(error, (InvalidInput, NotFound)) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return 0


async def _run(command: Coroutine[Any, Any, None]) -> None:
    asyncio.get_running_loop().set_exception_handler(log_unhandled)
    await command


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
