"""automl cluster check: what a Dask cluster offers, and whether trials could run there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automl.cli import options as opt

if TYPE_CHECKING:
    from automl.engines.cluster.check import ClusterFacts

cluster_app = typer.Typer(
    help="A cluster for --engine dask://host:8786.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)


@cluster_app.callback()
def _cluster() -> None:
    """Keeps `check` a word of its own although it is the only one."""


def check_cluster_command(
    url: Annotated[str, typer.Argument(metavar="URL", help="The scheduler: dask://host:8786.", show_default=False)],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="How long it takes to place this data set there.")
    ] = None,
    as_json: opt.JsonOption = False,
) -> None:
    """Workers, cores, memory, versions and bandwidth of a cluster; exit code 5 if no worker could be used."""
    from automl.cli.output import print_json
    from automl.engines import engines
    from automl.engines.dask import parse_address

    engines.demand("dask")
    address, name = parse_address(url)
    from automl.engines.cluster.check import examine_cluster

    facts = examine_cluster(address, name)
    record = _describe(facts, data)
    if as_json:
        print_json(record)
    else:
        _print(record)
    raise typer.Exit(0 if facts.usable else 5)


def _describe(facts: ClusterFacts, data: Path | None) -> dict[str, Any]:
    import dataclasses

    record: dict[str, Any] = {
        "cluster": facts.name,
        "workers": [dataclasses.asdict(worker) for worker in facts.workers],
        "usable": len(facts.usable),
        "threads": sum(worker.threads for worker in facts.usable),
        "latency_ms": facts.latency_ms,
        "bytes_per_second": facts.bytes_per_second,
    }
    if data is not None:
        size = size_of(data)
        seconds = size / facts.bytes_per_second if facts.bytes_per_second else None
        record["data"] = {"file": str(data), "bytes": size, "seconds": seconds}
    return record


def size_of(data: Path) -> int:
    """Bytes of a file, or of all files of a folder.

    Raises:
        DataError: if there is neither.
    """
    from automl.errors import DataError

    if not data.exists():
        raise DataError(f"There is no file {data}", hint="automl cluster check URL --data FILE")
    paths = [data] if data.is_file() else [path for path in data.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in paths)


def _print(record: dict[str, Any]) -> None:
    from automl.cli.output import clean

    print(f"{record['cluster']}: {record['usable']} of {len(record['workers'])} workers can be used")
    for worker in record["workers"]:
        memory = "no limit" if worker["memory_mb"] is None else f"{worker['memory_mb'] / 1024:.1f} GiB"
        threads = f"{worker['threads']} thread{'' if worker['threads'] == 1 else 's'}"
        said = "; ".join(worker["problems"]) or ", ".join(
            f"{name} {version}" for name, version in worker["versions"].items() if name != "source"
        )
        print(clean(f"  {worker['address']:<28} {threads:>10}  {memory:>9}  {said}"))
    if record["bytes_per_second"]:
        speed = record["bytes_per_second"] / 1e6
        print(f"{record['threads']} trials at once; {record['latency_ms']:.1f} ms there and back, {speed:,.0f} MB/s")
    if data := record.get("data"):
        said = "cannot be placed" if data["seconds"] is None else f"is there in about {data['seconds']:.1f} s, once"
        print(clean(f"{data['file']} ({data['bytes'] / 1e6:,.1f} MB) {said}"))
    if record["usable"]:
        print(clean(f"next: automl fit DATA --target Y --engine {record['cluster']}"))
    else:
        print("next: start workers with the versions of this machine, then check again")
