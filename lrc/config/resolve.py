"""What was asked of a run to what it is trained with."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from lrc_runtime.languages import check_lang

from ..errors import UserError
from ..tasks.registry import find_task
from .asked import check, with_preset
from .methods import method_settings
from .options import OPTIONS
from .settings import TrainSettings


def resolve(asked: Mapping[str, Any], where: str = "") -> TrainSettings:
    """Returns the settings of a run, as far as they are known without its data, its backbone and its machine.

    Languages stay empty, steps and batch size 0, device and precision `auto` where nothing else was asked for.

    Args:
        asked: Options by name, see `lrc.config.options`; defaults stand for the others.
        where: How a message begins that says where they stand, as "run.toml: ".

    Raises:
        UserError: If an option does not exist, its value is none that it takes, or two do not go together.
    """
    given = with_preset(check(asked, where))
    if "task" not in given:
        raise UserError("`task`: name one, such as xquad, or qa for your own labels")
    if "steps" in given and "epochs" in given:
        raise UserError("`steps` and `epochs`: give one of the two")
    kind = find_task(given["task"]).kind
    defaults = {name: option.default for name, option in OPTIONS.items() if option.saved}
    # What only the labels, the backbone and the machine tell; `lrc.training.launch` fills it in.
    later = {"kind": kind, "langs": [], "steps": 0, "batch_size": 0, "fingerprint": "", "versions": {}}
    later |= {"labels": [], "texts": 2}
    chosen = defaults | later | given
    chosen["draw_seed"] = given.get("draw_seed", chosen["seed"])
    chosen |= method_settings(chosen["method"], kind, given)
    names = {field.name for field in fields(TrainSettings)}
    settings = TrainSettings(**{name: value for name, value in chosen.items() if name in names})
    check_lang(settings.source_lang, "`source_lang`")
    return settings
