"""A job: its inputs cut into blocks, its stages of tasks, and where it leaves what.

A task is a number, so that any process with the job (it is plain data) can do any task:
which runner, how many workers and in what order must not show in what is written.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shimhub.data._model import Block, Options, Source
    from shimhub.data.reading._reading import Reading


@dataclass(frozen=True, slots=True)
class Stage:
    """Tasks 0 to ``tasks`` - 1 that need all of the stages before, and nothing of each other.

    ``function`` is ``module:name`` of ``f(job, index) -> dict``: it writes files (atomically,
    below ``job.state`` or ``job.out``), and returns what its mark tells, as JSON can hold it;
    ``"files"`` in it lists the paths that it wrote, relative to the folder of the output.
    Tasks are repeated after a kill, and must write the same bytes then.
    """

    name: str
    tasks: int
    function: str


@dataclass(frozen=True, slots=True)
class Job:
    """What is done to which data: all that a worker needs, in plain picklable data."""

    kind: str
    sources: tuple[Source, ...]
    blocks: tuple[Block, ...]
    #: ``options.schema`` is that of the rows that ``read_block`` gives.
    options: Options
    #: The folder of the output, and the one of marks and intermediate files inside it.
    out: str
    state: str
    #: The job's own settings: JSON.
    params: dict[str, Any] = field(default_factory=dict)
    #: How the sources are read, and the schema that they have together.
    reading: Reading | None = None
    #: Format and compression of its parts, as the end of their names: "jsonl.gz".
    extension: str = ""
    #: The one file that the parts are merged into at the end; empty if ``out`` is the result.
    target: str = ""
    overwrite: bool = False
    #: What must be the same to go on with a job: inputs, options, params, versions; JSON.
    plan: dict[str, Any] = field(default_factory=dict)
    #: What tasks need beside, such as a tokenizer: in no manifest; ``params`` has its hash.
    payload: str = ""

    def part(self, index: int) -> str:
        """Return the name below ``out`` of what task ``index`` of the last stage writes."""
        return f"part-{index:05d}.{self.extension}"

    def scratch(self) -> str:
        """Return the folder for files that are being written; emptied when the job starts."""
        return os.path.join(self.state, "tmp")
