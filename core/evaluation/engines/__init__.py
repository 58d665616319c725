"""Who certifies the images of a data set: this machine's devices, or a Ray cluster."""

from core.evaluation.engines.engine import ENGINES, Engine, make_engine
from core.evaluation.engines.work import Work

__all__ = ["ENGINES", "Engine", "Work", "make_engine"]
