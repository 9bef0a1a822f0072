"""What people try first, in a real kernel: notebooks in the manner of Dask's public examples, with the same calls and
less data. Their cells run with `cluster.client()`; those that need no variable that only a kernel has (a client, what
iterates over futures) run a second time with `%%mlrun` above them, and give the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from ..runs.cluster import a_cluster
from .kernels import Kernel, Shown

pytestmark = pytest.mark.slow


class Cell(NamedTuple):
    """A cell, what its last line shows as a regular expression, and whether it runs with `%%mlrun`, too."""

    code: str
    shows: str = ""
    both: bool = True


def here(code: str, shows: str = "") -> Cell:
    """A cell that is the kernel's alone."""
    return Cell(code, shows, both=False)


FUTURES = [
    here("from dask.distributed import as_completed\nclient", r"<Client: 'tls://\S+' processes=2 threads=2, .*>"),
    Cell(
        "import random, time\n"
        "def step(x):\n    time.sleep(random.random() / 100)\n    return x + 1\n"
        "def twice(x):\n    time.sleep(random.random() / 100)\n    return 2 * x\n"
        "def plus(x, y):\n    time.sleep(random.random() / 100)\n    return x + y"
    ),
    Cell("step(1)", "2"),
    here("first = client.submit(step, 1)\nfirst", "<Future: .*step-.*"),
    Cell("first.result()", "2"),
    here("first", "<Future: finished, type: int, key: step-.*"),
    here("x = client.submit(step, 1)\ny = client.submit(twice, 2)\nz = client.submit(plus, x, y)\nz", "<Future: .*"),
    Cell("z.result()", "6"),
    Cell("sums = []"),
    here(
        "%%time\nfor n in range(16):\n    x = client.submit(step, n)\n    y = client.submit(twice, x)\n"
        "    sums.append(client.submit(plus, x, y))"
    ),
    here("total = client.submit(sum, sums)\ntotal.result()", "408"),
    here("client.cluster.scale(2)"),
    here(
        "level = sums\nwhile len(level) > 1:\n"
        "    level = [client.submit(plus, *level[n : n + 2]) for n in range(0, len(level), 2)]\nlevel[0].result()",
        "408",
    ),
    Cell("level[0].result() + sum(each.result() for each in sums)", "816"),
    here("del first, level, total"),
    here(
        "sums = client.map(step, sums)\nready = as_completed(sums)\nwhile ready.count() > 1:\n"
        "    one, other = next(ready), next(ready)\n    ready.add(client.submit(plus, one, other))\n"
        "next(ready).result()",
        "424",
    ),
    Cell(
        "from dask.distributed import get_client\nsum(get_client().gather(get_client().map(twice, range(8))))",
        "56",
    ),
]

PEOPLE = """
import json, os
import dask.bag as db

os.makedirs("data", exist_ok=True)
jobs = ["baker", "pilot", "nurse", "clerk"]
people = [
    {"age": 20 + n % 40, "name": ["Ada", f"No. {n}"], "job": jobs[n % 7 % 4], "home": {"street": f"Lane {n}"}}
    for n in range(200)
]
len(db.from_sequence(people, npartitions=4).map(json.dumps).to_textfiles("data/*.json"))
"""

BAG = [
    Cell(PEOPLE, "4"),
    here("lines = !head -n 2 data/0.json\nlen(lines)", "2"),
    Cell(
        "import dask.bag as db, json\nb = db.read_text('data/*.json').map(json.loads)\nb",
        "dask.bag<loads, npartitions=4>",
    ),
    Cell("b.take(2)", r"\(\{'age': 20,.*\{'age': 21,.*\)"),
    Cell("b.filter(lambda person: person['age'] > 30).take(1)[0]['age']", "31"),
    Cell("b.map(lambda person: person['job']).take(2)", r"\('baker', 'pilot'\)"),
    Cell("b.count().compute()", "200"),
    Cell(
        "old = b.filter(lambda person: person['age'] > 30).map(lambda person: person['job'])\n"
        "top = old.frequencies(sort=True).topk(2, key=1)\ntop",
        "dask.bag<topk-aggregate, npartitions=1>",
    ),
    Cell("top.compute()", r"\[\('\w+', \d+\), \('\w+', \d+\)\]"),
    Cell(
        "import json\nlen(b.filter(lambda person: person['age'] > 30).map(json.dumps).to_textfiles('data/old.*.json'))",
        "4",
    ),
    Cell(
        "def flat(person):\n"
        "    return {'age': person['age'], 'job': person['job'], 'name': ' '.join(person['name']), **person['home']}\n"
        "b.map(flat).take(1)",
        r"\(\{'age': 20,\s+'job': 'baker',\s+'name': 'Ada No. 0',\s+'street': 'Lane 0'\},\)",
    ),
    Cell("df = b.map(flat).to_dataframe()\ndf.head()", r".*age +job +name.*"),
    Cell("df[df.age > 30].job.value_counts().nlargest(2).compute()", "job.*int64"),
]

DATAFRAME = [
    Cell(
        "import dask, dask.dataframe as dd\n"
        "series = dask.datasets.timeseries('2000-01-01', '2000-01-05', freq='60s', partition_freq='1D', seed=1)"
    ),
    Cell("series", "Dask DataFrame Structure:.*npartitions=4.*"),
    Cell("series.dtypes", "name +string.*"),
    here("import pandas as pd\npd.options.display.precision = 2\npd.options.display.max_rows = 10"),
    Cell("series.head(3)", ".*2000-01-01 00:02:00.*"),
    Cell("spread = series[series.y > 0].groupby('name').x.std()\nspread", "Dask Series Structure:.*"),
    Cell("spread_of = spread.compute()\ntype(spread_of).__name__, len(spread_of)", r"\('Series', 26\)"),
    Cell("spread_of", "name.*Alice.*"),
    here("series = series.persist()"),
    here("%matplotlib inline"),
    Cell("series[['x', 'y']].resample('1h').mean().head()", ".*2000-01-01 04:00:00.*"),
    Cell("series[['x', 'y']].resample('24h').mean().compute().plot();"),
    Cell("series[['x', 'y']].rolling(window='24h').mean().head()", ".*2000-01-01 00:04:00.*"),
    Cell("series.loc['2000-01-03']", "Dask DataFrame Structure:.*"),
    here("%time _ = series.loc['2000-01-03'].compute()\nlen(_)", "1440"),
    Cell("by_name = series.set_index('name')\nby_name", "Dask DataFrame Structure:.*"),
    here("by_name = by_name.persist()"),
    Cell("len(by_name.loc['Alice'].compute()) > 100", "True"),
    Cell(
        "from sklearn.linear_model import LinearRegression\n"
        "def train(part):\n    return LinearRegression().fit(part[['x']].values, part.y.values)"
    ),
    Cell("by_name.groupby('name').apply(train, meta=('model', object)).compute()", r".*Alice +LinearRegression\(\).*"),
]

DELAYED = [
    Cell(
        "import random, time\n"
        "def up(x):\n    time.sleep(random.random() / 100)\n    return x + 1\n"
        "def down(x):\n    time.sleep(random.random() / 100)\n    return x - 1\n"
        "def both(x, y):\n    time.sleep(random.random() / 100)\n    return x + y"
    ),
    Cell("both(up(1), down(2))", "3"),
    here("import dask\nup, down, both = dask.delayed(up), dask.delayed(down), dask.delayed(both)"),
    Cell("x = up(1)\ny = down(2)\nz = both(x, y)\nz", r"Delayed\('both-.*'\)"),
    Cell("z.compute()", "3"),
    Cell("zs = []"),
    here("%%time\nfor n in range(16):\n    x = up(n)\n    zs.append(both(x, down(x)))"),
    Cell("import dask\nsum(dask.compute(*zs))", "256"),
    here("zs = dask.persist(*zs)"),
    here("client.cluster.scale(2)"),
    Cell(
        "import dask\nlevel = zs\nwhile len(level) > 1:\n"
        "    level = [both(level[n], level[n + 1]) for n in range(0, len(level), 2)]\ndask.compute(level)",
        r"\(\[256\],\)",
    ),
]

MACHINE_LEARNING = [
    Cell(
        "import joblib\nimport pandas as pd\nfrom sklearn.datasets import make_classification\n"
        "from sklearn.svm import SVC\nfrom sklearn.model_selection import GridSearchCV"
    ),
    Cell(
        "X, y = make_classification(n_samples=60, random_state=0)\nX[:5].shape",
        r"\(5, 20\)",
    ),
    Cell(
        "grid = {'C': [0.1, 1.0], 'kernel': ['rbf', 'poly']}\n"
        "search = GridSearchCV(SVC(gamma='auto', random_state=0), grid, cv=2, n_jobs=-1)"
    ),
    Cell("with joblib.parallel_backend('dask'):\n    search.fit(X, y)"),
    Cell("pd.DataFrame(search.cv_results_).head()[['param_C', 'param_kernel']]", ".*0.1 +rbf.*1.0 +poly.*"),
    Cell("search.predict(X)[:5].tolist()", r"\[[01], [01], [01], [01], [01]\]"),
    Cell("search.score(X, y) > 0.8", "True"),
    here("%matplotlib inline\nimport dask.array as da\nimport matplotlib.pyplot as plt"),
    here(
        "around = da.random.default_rng(0)\n"
        "points = da.concatenate([around.normal(n * 10, 1, (300, 2), chunks=(100, 2)) for n in range(3)]).persist()\n"
        "points",
        r"dask.array<.*shape=\(900, 2\).*",
    ),
    Cell(
        "centers = points[::300].compute()\nfor _ in range(3):\n"
        "    nearest = ((points[:, None, :] - centers[None]) ** 2).sum(axis=2).argmin(axis=1).compute()\n"
        "    centers = da.stack([points[nearest == n].mean(axis=0) for n in range(3)]).compute()\n"
        "centers.round(-1).astype(int).tolist()",
        r"\[\[0, 0\], \[10, 10\], \[20, 20\]\]",
    ),
    Cell("fig, ax = plt.subplots()\nax.scatter(*points[::10].compute().T, c=nearest[::10])\nplt.show()"),
]

NOTEBOOKS = {
    "futures": FUTURES,
    "bag": BAG,
    "dataframe": DATAFRAME,
    "delayed": DELAYED,
    "machine-learning": MACHINE_LEARNING,
}


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with a_cluster("examples"):
        made = Kernel(tmp_path_factory.mktemp("examples"), "examples")
        assert not made.run("client = mlops.cluster('examples').client()").error
        yield made
        made.close()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_cell_by_cell(kernel: Kernel, name: str) -> None:
    for cell in NOTEBOOKS[name]:
        _check(cell, kernel.run(cell.code))
        if cell.both:
            _check(cell, kernel.run(f"%%mlrun\n{cell.code}"))


def _check(cell: Cell, shown: Shown) -> None:
    assert not shown.error, "\n".join([cell.code, *shown.traceback])
    assert re.fullmatch(cell.shows, shown.result, re.DOTALL), (cell.code, shown)
    noise = re.sub(r"(?m)^(CPU times|Wall time|Compiler|Parser) *: .*$", "", shown.text).strip()
    assert not noise, (cell.code, shown.text)
