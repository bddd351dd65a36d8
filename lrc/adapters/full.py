"""All of the backbone's own parameters: full fine-tuning."""

from ..config.methods import find_method
from ..config.settings import TrainSettings
from .adapter import Adapter, Host


class _Full(Adapter):
    def wanted(self, settings: TrainSettings) -> bool:
        return find_method(settings.method).trains == "all"

    def attach(self, host: Host, settings: TrainSettings) -> None:
        for name, parameter in host.encoder.named_parameters():
            parameter.requires_grad_(not host.frozen(name))


ADAPTER = _Full()
