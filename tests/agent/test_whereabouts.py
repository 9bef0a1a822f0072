"""Where a rank's code is, from the files of its frames."""

from __future__ import annotations

import pytest

from jupyter_mlops.agent.whereabouts import where_is

TORCH = "/opt/lib/python3.12/site-packages/torch"
LOADER, FETCH = f"{TORCH}/utils/data/dataloader.py", f"{TORCH}/utils/data/_utils/fetch.py"
REDUCE = f"{TORCH}/distributed/distributed_c10d.py"


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ([REDUCE, f"{TORCH}/distributed/c10d_logger.py", "cell.py"], "talking"),
        (["/usr/lib/python3.12/queue.py", LOADER, LOADER, "cell.py"], "loading"),
        (["PIL/Image.py", "data.py", FETCH, LOADER, "cell.py"], "reading"),
        ([f"{TORCH}/autograd/graph.py", f"{TORCH}/_tensor.py", "cell.py"], "unknown"),
        ([f"{TORCH}/distributed/fsdp/_fully_shard/_fsdp_param_group.py", "cell.py"], "unknown"),
        ([f"{TORCH}/serialization.py", f"{TORCH}/distributed/checkpoint/filesystem.py"], "elsewhere"),
        ([f"{TORCH}/nn/modules/linear.py", f"{TORCH}/nn/parallel/distributed.py", "cell.py"], "elsewhere"),
        (["cell.py", REDUCE], "elsewhere"),  # a hook of the user's that a collective has called
        ([], "elsewhere"),
    ],
)
def test_files_of_frames_tell(files: list[str], where: str) -> None:
    assert where_is(files) == where
