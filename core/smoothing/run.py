"""What CERTIFY and PREDICT share: the checked picture and models, the votes of a stream, the record of the run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from core.device import pick_device
from core.errors import LabError
from core.pictures.pixels import ImageSource, image_record, to_pixels
from core.smoothing.model_records import model_labels, model_record, model_size
from core.smoothing.noise import NoiseSource, NoiseStream, is_on_grid
from core.smoothing.sampling import BaseClassifier, ClassifierLike, DenoiserLike, count_votes, ready
from core.versions import versions


class Run:
    """One picture, one base classifier, one kind of noise. Arguments as for :func:`core.certify`.

    Raises:
        LabError: where picture, models or device are not usable.
    """

    def __init__(
        self,
        image: ImageSource,
        classifier: ClassifierLike,
        denoiser: DenoiserLike | None,
        *,
        sigma: float,
        seed: int,
        noise: str,
        sound: bool,
        device: str,
        batch_size: int | None,
    ) -> None:
        self.device = pick_device(device)
        pixels = to_pixels(image, model_size(classifier))
        if sound and not is_on_grid(pixels):
            raise LabError(
                "Sound mode needs 8-bit pixel values, and this tensor has values between them: pass"
                " (image * 255).round() / 255, and what is then certified is that rounded picture."
            )
        ready(classifier, self.device, "classifier")
        ready(denoiser, self.device, "denoiser")
        self.base = BaseClassifier(classifier, denoiser)
        self.image_record = image_record(pixels)
        self.image = pixels.to(self.device)
        self.shape = tuple(pixels.shape)
        self.sigma, self.seed, self.noise, self.sound, self.batch_size = sigma, seed, noise, sound, batch_size
        self.labels = model_labels(classifier)
        self._started = time.perf_counter()
        self.spent: float | None = None

    def votes(self, purpose: str, n: int, looks: Sequence[int] = ()) -> Iterator[Tensor]:
        """The votes of ``n`` samples of the stream for ``purpose``, batch by batch: as :func:`count_votes`."""
        stream = self.stream(purpose)
        for votes in count_votes(self.base, self.image, self.sigma, stream, n, batch_size=self.batch_size, looks=looks):
            yield self.checked(votes)

    def checked(self, votes: Tensor) -> Tensor:
        """The same votes; raises LabError where the classifier has other labels."""
        if self.labels is not None and len(votes) != len(self.labels):
            raise LabError(
                f"The classifier returned {len(votes)} logits but has {len(self.labels)} labels: they must be as many."
            )
        return votes

    def stream(self, purpose: str) -> NoiseSource:
        """The noise for a purpose, a key of :data:`core.smoothing.noise.PURPOSES`."""
        if not self.sound:
            return NoiseStream(self.shape, self.seed, purpose, self.device, self.noise)
        from core.smoothing.grid_noise import GridNoiseStream  # makes its tables of exact thresholds when it is used

        return GridNoiseStream(self.shape, self.sigma, self.seed, purpose, self.device)

    def seconds(self) -> float:
        """Since sampling began; or ``spent``, which whoever samples several pictures at once keeps for each."""
        return time.perf_counter() - self._started if self.spent is None else self.spent

    def record(self, prediction: int | None, counts: Tensor, stopped: bool, samples: int, alpha: float) -> dict[str, Any]:
        """The fields that a certificate and a prediction have in common."""
        seconds = self.seconds()
        return {
            "prediction": prediction,
            "label": None if prediction is None or self.labels is None else self.labels[prediction],
            "abstained": prediction is None,
            "counts": tuple(counts.tolist()),
            "n": int(counts.sum()),
            "alpha": alpha,
            "sigma": self.sigma,
            "seed": self.seed,
            "stopped": stopped,
            "image": self.image_record,
            "classifier": model_record(self.base.classifier),
            "denoiser": model_record(self.base.denoiser),
            "labels": self.labels,
            "device": str(self.device),
            "seconds": seconds,
            "samples_per_second": samples / max(seconds, 1e-9),
            "versions": versions(),
            "noise": self.noise,
            "sound": self.sound,
        }
