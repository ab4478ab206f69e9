"""A cluster on this machine, in a process of its own: `python -m automl.engines.cluster WORKERS`.

It prints one JSON line, where the scheduler is and the keys without which nobody gets in, and ends when its standard
input does. Dask's workers import the main module of the process that starts them; this one's does nothing when
imported, a user's script may begin everything anew.
"""

from __future__ import annotations

import json
import os
import sys

from automl.engines.cluster.connection import silence
from automl.engines.machine.template import die_with_parent


def host_cluster(workers: int) -> None:
    """Serve until the standard input ends."""
    from distributed import LocalCluster

    silence()
    cluster = LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        # both serve nothing, but want a place, which by default is open to the network
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        memory_limit=0,
        silence_logs=100,
        security=True,
    )
    keys = cluster.security
    said = {"address": cluster.scheduler_address, "certificate": keys.tls_client_cert, "key": keys.tls_client_key}
    print(json.dumps(said), flush=True)  # noqa: T201
    sys.stdin.read()
    cluster.close(timeout=2)


if __name__ == "__main__":
    die_with_parent(os.getppid())
    host_cluster(int(sys.argv[1]))
