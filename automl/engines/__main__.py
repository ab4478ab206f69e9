"""The template process of a pool: imports what its workers need, then forks a warm worker whenever asked.

Started by `automl.engines.local` as `python -m automl.engines FD MODULE…`. A worker costs a few milliseconds this way,
while a fresh interpreter with scikit-learn costs seconds. It is single-threaded when it forks: no model has run in it.
"""

from __future__ import annotations

import sys

from automl.engines.machine.template import serve_template

if __name__ == "__main__":
    serve_template(int(sys.argv[1]), sys.argv[2:])
