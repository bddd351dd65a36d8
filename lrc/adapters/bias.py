"""The backbone's own bias terms (BitFit, Ben Zaken et al. 2022)."""

from ..config.methods import find_method
from ..config.settings import TrainSettings
from .adapter import Adapter, Host


class _Bias(Adapter):
    def wanted(self, settings: TrainSettings) -> bool:
        return settings.bias or find_method(settings.method).trains == "bias"

    def attach(self, host: Host, settings: TrainSettings) -> None:
        for name, parameter in host.encoder.named_parameters():
            if name.endswith("bias"):
                parameter.requires_grad_(not host.frozen(name))


ADAPTER = _Bias()
