"""BERT and the families that are built like it."""

from .family import Family

BERT = Family(
    "BERT",
    model_types=("bert", "electra"),
    stack="encoder.layer",
    keys_and_values=("key", "value"),
    inner=("intermediate_size",),
)
DISTILBERT = Family(
    "DistilBERT",
    model_types=("distilbert",),
    stack="transformer.layer",
    keys_and_values=("k_lin", "v_lin"),
    inner=("hidden_dim",),
)
