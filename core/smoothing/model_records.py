"""What a certificate records of a model, for the Lab's models and for any other callable."""

from __future__ import annotations

from core.smoothing.certificate import ModelRecord


def model_record(model: object | None) -> ModelRecord:
    """Reference, revision and weights hash; ``none`` for no model, ``python/NAME`` for a callable that carries no reference."""
    if model is None:
        return ModelRecord("none", None)
    ref = getattr(model, "ref", None)
    if isinstance(ref, str):
        return ModelRecord(ref, getattr(model, "revision", None), getattr(model, "weights_sha256", None))
    return ModelRecord(f"python/{getattr(model, '__name__', type(model).__name__)}", None)


def model_labels(model: object) -> tuple[str, ...] | None:
    """The class names a model carries, if any."""
    labels = getattr(model, "labels", None)
    return None if labels is None else tuple(str(label) for label in labels)


def model_size(model: object) -> tuple[int, int] | None:
    """The (height, width) a model asks for, if it says: two numbers, or three with the channels first.

    Anyone's module may use the attribute for something else (``nn.LSTM`` does): then nothing is asked for.
    """
    size = getattr(model, "input_size", None)
    if not isinstance(size, tuple | list) or len(size) not in (2, 3) or not all(isinstance(side, int) for side in size):
        return None
    return size[-2], size[-1]
