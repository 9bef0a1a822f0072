"""The magics themselves: their options and help. What they do is imported when they are first used."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments


@magics_class
class MlopsMagics(Magics):
    """`%%mlrun` and `%mlcluster`."""

    @magic_arguments()
    @argument(
        "--map",
        metavar="ITEMS",
        help="Run the cell once for each of ITEMS, in parallel. An expression: a list, range, array, table (its rows "
        "in chunks), generator, or Dask collection (its partitions); or a quoted pattern of file names, like "
        '"data/*.csv". The value of the last line is the item\'s result.',
    )
    @argument("--as", dest="item", metavar="NAME", help="What the cell calls its item (default: item).")
    @argument(
        "--out",
        metavar="NAMES",
        help="With --map: the variable for the list of results. Without: the "
        "variables that come back, like a,b (default: all that the cell assigns or changes in place).",
    )
    @argument(
        "--gang",
        metavar="N",
        help="Run the cell on N workers at the same time (MIN:MAX: on as many as can be had), as one program whose "
        "processes (ranks) talk to each other, as under torchrun: RANK, WORLD_SIZE and so on are set. "
        "All start together, or none. What comes back is rank 0's; --out NAME@all gives a list with that of each.",
    )
    @argument("--per-worker", metavar="N", help="With --gang: ranks on each worker (default: its GPUs, or 1).")
    @argument(
        "--restarts",
        metavar="N",
        help="With --gang: begin again up to N times when a rank fails, if there is a new checkpoint (default: 3).",
    )
    @argument(
        "--hang",
        metavar="TIME",
        help="With --gang: it hangs when no rank has made a step for so long, and begins again; off: never (default: "
        "a minute, or more where steps take long; only of ranks that call mlops.progress).",
    )
    @argument(
        "--checkpoint",
        metavar="PATH",
        help="With --gang: a folder that all workers see, or a URL, for its checkpoints (default: the run's folder).",
    )
    @argument(
        "--fresh", action="store_true", help="With --gang: begin at the start, whatever checkpoint an earlier run left."
    )
    @argument("--resume", metavar="RUN", help="With --gang: go on from the newest checkpoint of this run.")
    @argument(
        "--name",
        help="What the run is called in lists (default: the first comment of the cell, or its notebook).",
    )
    @argument(
        "--step",
        metavar="NAME",
        help="Keep what the cell makes under this name, and take it from there while its code, what it reads, the "
        "packages that it uses and the files that it names are as they were.",
    )
    @argument("--again", action="store_true", help="With --step: compute it, whatever is kept.")
    @argument(
        "--cluster",
        help="Where to run (default: the selected cluster, else that of the cell before, else the last one started, "
        "else a new one).",
    )
    @argument(
        "--workers",
        metavar="N|MIN:MAX",
        help="Scale the cluster first: to N workers, or to follow the work between MIN and MAX.",
    )
    @argument("--group", help="Only workers of this group may run it.")
    @argument("--timeout", metavar="TIME", help="Stop it after this time, like 90s, 10min or 1h30m.")
    @argument("--budget", metavar="MONEY", help="Stop it before it costs more than this.")
    @argument("--retries", type=int, default=0, metavar="N", help="Try again N times when the code raises, per item.")
    @argument(
        "--detach",
        action="store_true",
        help="Free the notebook at once. The run goes on without it, even if "
        "the kernel ends; fetch its prints and result with mlops.get_run(ID), from any notebook.",
    )
    @argument("--quiet", action="store_true", help="Show no progress, prints and notes.")
    @argument("--keep", action="store_true", help="Leave the results on the cluster, as Dask futures or a bag.")
    @argument(
        "--pilot",
        nargs="?",
        const="balanced",
        choices=["cheapest", "balanced", "fastest", "ask"],
        help="With --map: try several numbers of workers with the first items, say what each of them does and costs, "
        "and go on with the one that is cheapest, balanced (default) or fastest; ask: leave it to you.",
    )
    @argument("--by", metavar="TIME", help="With --map: try sizes, and be done by then, like 18:00 or 2h, cheaply.")
    @argument("--for", dest="money", metavar="MONEY", help="With --map: try sizes, and cost no more than this, fast.")
    @argument(
        "--on-error",
        choices=["raise", "collect"],
        default="collect",
        help="With --map, when an item raises: stop the run, or go on and collect the errors (default: collect).",
    )
    @argument(
        "--sync",
        action="store_true",
        help="Bring packages of the notebook that the workers lack, or have in another version, to them.",
    )
    @no_var_expand  # IPython would put the notebook's `i` into the {i} of an expression's own f-string
    @cell_magic
    def mlrun(self, line: str, cell: str) -> Any:
        """Run this cell on a cluster instead of in the notebook.

        The variables, functions, classes and modules that the cell uses travel with it; what it assigns or changes
        comes back, its prints appear here while it runs, and its last line is shown, as usual. With no cluster running,
        one is started. Stop it with the notebook's stop button.

            %%mlrun
            model = train(table)            # runs on a worker; `model` comes back

            %%mlrun --map files --as path --out tables
            read_and_clean(path)            # runs once for each path, on all workers; `tables` is the list of results

            %%mlrun --map files --as path --by 18:00
            read_and_clean(path)            # finds out how many workers that takes

            %%mlrun --detach --name "long training"
            train(table, epochs=100)        # goes on when you close the notebook

            %%mlrun --step train
            model = train(table)            # computed once: the next time it is there, unless something has changed

            %%mlrun --gang 2
            train_with_ddp(rank=mlops.rank())   # one program on two workers: PyTorch's DDP, FSDP and the like

        Dask inside the cell uses the same cluster. Clusters are listed by `%mlcluster`.
        """
        from .cell import run_cell

        return run_cell(self.shell, self.mlrun.parser, line, cell)

    @magic_arguments()
    @argument(
        "action",
        nargs="?",
        default="list",
        choices=["list", "select", "start", "stop", "scale", "let-go", "limit", "show"],
        help="What to do (default: list).",
    )
    @argument(
        "target",
        nargs="*",
        help="The cluster's name (start: the profile's); scale: also the number, as in 'scale NAME 4' or 'scale 2:8'.",
    )
    @argument("--name", help="With start: what to call the cluster.")
    @argument("--workers", metavar="N", type=int, help="With start: how many workers; with let-go: at most.")
    @argument("--group", help="With scale and let-go: which group of workers.")
    @argument("--budget", metavar="MONEY", help="With limit: 30 in all, or +10 more.")
    @argument("--lifetime", metavar="TIME", help="With limit: 30h since its start, or +1h more.")
    @argument("--sync", action="store_true", help="With start: bring packages of the notebook to its workers.")
    @line_magic
    def mlcluster(self, line: str) -> Any:
        """See and manage clusters.

        %mlcluster                       # list them
        %mlcluster start                 # start one of the default profile; or: start PROFILE --workers 4
        %mlcluster select NAME           # the cells of this notebook run there from now on
        %mlcluster scale NAME 4          # or 2:8, to follow the work
        %mlcluster let-go NAME           # workers that have long been idle
        %mlcluster limit NAME --budget +10 --lifetime +1h     # more money and time; or 30 and 30h, in all
        %mlcluster show NAME
        %mlcluster stop NAME
        """
        from .line import run_line

        return run_line(self.mlcluster.parser, line)
