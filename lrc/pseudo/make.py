"""`lrc pseudo`: unlabelled text, labels or questions in, a file of pseudo-labelled examples out, in constant memory."""

import json

from ..console import note, progress
from ..data.examples import BadExamples
from ..errors import UserError
from ..files import claimed, replace_file
from .examples import to_row
from .generators import GENERATORS
from .generators.inputs import Generator, Inputs, Make, Request


def make(request: Request) -> int:
    """Writes pseudo-labelled examples as JSONL, which every reader of labels takes.

    Returns:
        Number of examples.

    Raises:
        UserError: If something cannot be read, an option is unknown or missing, or nothing could be made.
    """
    generate = _chosen(request)
    bad = BadExamples(request.skip_bad)
    count = 0
    note(f"making {request.generator} from {request.source}; writing to {request.out}")
    with claimed(request.out), replace_file(request.out, new=True) as file, progress("read", 0) as advance:
        for made in generate(Inputs(request, bad, advance)):
            if made.score >= request.least_score:
                file.write(json.dumps(to_row(made, request.generator), ensure_ascii=False).encode() + b"\n")
                count += 1
                if count == request.limit:
                    break
        if not count:
            raise UserError(f"{request.source}: {request.generator} made nothing of it that scores enough")
    if bad.count:
        note(f"dropped {bad.count} bad lines")
    note(f"wrote {count} examples to {request.out}")
    return count


def _chosen(request: Request) -> Make:
    """Returns what makes the examples, after a look at the options."""
    name = request.generator
    if name not in GENERATORS:
        raise UserError(f"`generator` {name}: choose one of {', '.join(GENERATORS)}")
    generator: Generator = GENERATORS[name]()
    if generator.run and request.run is None:
        raise UserError(f"`run`: generator {name} needs a run or a bundle")
    if request.run is not None and not generator.run:
        raise UserError(f"`run`: generator {name} takes none; leave it out")
    if request.parallel and generator.translated is None:
        raise UserError(f"`parallel` or `bitext`: generator {name} takes none; leave it out")
    if not request.parallel and generator.make is None:
        raise UserError(f"`parallel` or `bitext`: generator {name} needs one")
    if request.out.exists():
        raise UserError(f"`out` {request.out}: exists already; name a new file")
    made = generator.translated if request.parallel else generator.make
    assert made is not None
    return made
