"""Families of encoders: one record each. An encoder of no known family is looked at module by module."""

from typing import Any

from .bert import BERT, DISTILBERT
from .family import Family
from .roberta import ROBERTA

FAMILIES = [BERT, DISTILBERT, ROBERTA]
ANY = Family("any")


def find_family(config: Any) -> Family:
    """Returns the family of an encoder by its transformers configuration."""
    return next((family for family in FAMILIES if config.model_type in family.model_types), ANY)
