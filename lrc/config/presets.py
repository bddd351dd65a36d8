"""Presets: settings that go together, by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Preset:
    """Settings that go together.

    Attributes:
        name: As it is asked for.
        what: One line for people.
        settings: Options by name; whatever else is asked for wins over them.
    """

    name: str
    what: str
    settings: Mapping[str, Any]


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("quick", "60 steps: for a look whether all works, not for scores", {"steps": 60}),
        # docs/method.md, "Steadiness": of what is there the one that was measured over three seeds.
        Preset("steady", "the mean of four runs, for questions; takes four times as long", {"soup": 4}),
    )
}


def find_preset(name: str) -> Preset:
    """Returns a preset by name.

    Raises:
        UserError: If there is none of this name.
    """
    # Imported late: the help of the command line names presets and must not wait for the runtime.
    from ..errors import UserError

    if name not in PRESETS:
        raise UserError(f"`preset` {name}: unknown; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]
