"""What ran out of memory: it must not look like something that cannot be done at all."""

from collections.abc import Iterator

import torch


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that it came of, says that memory ran out, that of the GPU or the machine's."""
    return any(
        isinstance(one, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(one)
        for one in _origins(error)
    )


def _origins(error: BaseException | None) -> Iterator[BaseException]:
    # A capture that is cut off ends in an error of its own, which hides the first one behind it.
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
