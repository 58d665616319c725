"""Repositories of the Hub that are known to be of use here, one click away in the app.

Names and remarks were gathered by hand; whether each still is as described, the Hub says when it is opened.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Curated:
    """One known repository.

    Attributes:
        ref: its reference.
        kind: ``classifier`` or ``denoiser``.
        data: the data set it was trained on.
        remark: half a sentence for people.
    """

    ref: str
    kind: str
    data: str
    remark: str


CURATED: tuple[Curated, ...] = (
    Curated("hub/edadaltocg/resnet18_cifar10", "classifier", "CIFAR-10", "ResNet-18 with a 3x3 stem, small and quick"),
    Curated(
        "hub/aaraki/vit-base-patch16-224-in21k-finetuned-cifar10",
        "classifier",
        "CIFAR-10",
        "vision transformer, the classifier of Carlini et al. (2022); scales up to 224 pixels inside",
    ),
    Curated("hub/nateraw/vit-base-patch16-224-cifar10", "classifier", "CIFAR-10", "vision transformer, 224 pixels inside"),
    Curated("hub/ahsanjavid/convnext-tiny-finetuned-cifar10", "classifier", "CIFAR-10", "ConvNeXt, 224 pixels inside"),
    Curated("hub/timm/resnet18.a1_in1k", "classifier", "ImageNet", "ResNet-18, the smallest of the list"),
    Curated("hub/timm/resnet50.a1_in1k", "classifier", "ImageNet", "ResNet-50, trained by a stronger recipe than the paper's"),
    Curated("hub/timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k", "classifier", "ImageNet", "a tiny vision transformer"),
    Curated("hub/google/vit-base-patch16-224", "classifier", "ImageNet", "the vision transformer of Dosovitskiy et al. (2020)"),
    Curated("hub/microsoft/resnet-50", "classifier", "ImageNet", "ResNet-50"),
    Curated("hub/google/ddpm-cifar10-32", "denoiser", "CIFAR-10", "diffusion model, used as a one-shot denoiser"),
    Curated("hub/deepinv/drunet", "denoiser", "photographs", "DRUNet, takes any sigma, trained up to about 0.2"),
    Curated("hub/deepinv/scunet", "denoiser", "photographs", "SCUNet, for real camera noise"),
    Curated("hub/deepinv/dncnn", "denoiser", "photographs", "DnCNN, trained at sigma 2/255: of no use for smoothing"),
)


def curated(kind: str) -> list[Curated]:
    """The known classifiers or denoisers."""
    return [entry for entry in CURATED if entry.kind == kind]
