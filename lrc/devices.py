"""Where a model runs, and in which precision."""

import torch

from .errors import UserError


def pick_device(name: str) -> str:
    """Resolves `device`: CUDA where it is present.

    Raises:
        UserError: If the name is unknown, or CUDA is asked for and absent.
    """
    if name not in ("auto", "cuda", "cpu"):
        raise UserError(f"`device` {name}: choose auto, cuda or cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("`device` cuda: torch sees no CUDA device here; use `device` auto or cpu")
    return "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"


def pick_precision(name: str, device: str) -> str:
    """Resolves `precision`: bf16 where the hardware multiplies in it.

    Raises:
        UserError: If the name is unknown.
    """
    if name not in ("auto", "fp32", "bf16"):
        raise UserError(f"`precision` {name}: choose auto, fp32 or bf16")
    if name != "auto":
        return name
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    # Processors with AVX-512 but without its bf16 instructions emulate them, at less than half the speed of float32.
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return "bf16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "fp32"
