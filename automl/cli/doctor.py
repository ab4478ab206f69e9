"""automl doctor: what this machine offers, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import typer

from automl.cli import options as opt


def doctor_command(as_json: opt.JsonOption = False) -> None:
    """Cores, memory, disk, library versions, a worker started and ended; exit code 5 if something is wrong."""
    from automl.cli.output import print_json

    facts = examine()
    if as_json:
        print_json(facts)
    else:
        for name, value in facts["facts"].items():
            print(f"{name:<16} {value}")
        for problem in facts["problems"]:
            print(f"problem: {problem}")
        print("all is well" if not facts["problems"] else "mend the problems above and run automl doctor again")
    raise typer.Exit(5 if facts["problems"] else 0)


def examine() -> dict[str, Any]:
    """Facts of the machine, and problems in words."""
    import platform
    import shutil

    import psutil

    from automl.engines import Job, Limits, Status
    from automl.engines.local import LocalEngine
    from automl.engines.machine.cores import count_cores
    from automl.engines.machine.worker import answer
    from automl.ensemble.artifact import installed_versions

    free_disk = shutil.disk_usage(".").free / 2**30
    free_memory = psutil.virtual_memory().available / 2**30
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": count_cores(),
        "memory free": f"{free_memory:.1f} GiB",
        "disk free": f"{free_disk:.1f} GiB",
        **installed_versions(),
    }
    problems = []
    if free_memory < 1:
        problems.append(f"only {free_memory:.1f} GiB of memory are free; a search needs about 1")
    if free_disk < 1:
        problems.append(f"only {free_disk:.1f} GiB of disk are free here; a search may need some")
    engine = LocalEngine(1, preload={"core": ()})
    try:
        engine.submit(Job(id="doctor", function=answer, payload=42, limits=Limits(seconds=20)))
        outcomes = engine.wait(30)
        if not outcomes or outcomes[0].status is not Status.OK:
            problems.append("a worker process cannot be started: " + (outcomes[0].reason if outcomes else "no answer"))
    finally:
        engine.close()
    return {"facts": facts, "problems": problems}
