"""The words of the field, each in one or two sentences, with its source."""

from __future__ import annotations

from dataclasses import dataclass

COHEN = "Cohen, Rosenfeld, Kolter 2019, arXiv 1902.02918"
SALMAN = "Salman, Sun, Yang, Kapoor, Kolter 2020, arXiv 2003.01908"
CARLINI = "Carlini et al. 2022, arXiv 2206.10550"
YANG = "Yang et al. 2020, arXiv 2002.08118"
SZEGEDY = "Szegedy et al. 2014, arXiv 1312.6199"
ZHAI = "Zhai et al. 2020, arXiv 2001.02378"


@dataclass(frozen=True)
class Term:
    """One word.

    Attributes:
        name: as it is written on the pages.
        meaning: one or two sentences.
        source: where it comes from.
        formula: in LaTeX, or empty.
    """

    name: str
    meaning: str
    source: str
    formula: str = ""


GLOSSARY = {
    "adversarial example": Term(
        "adversarial example",
        "A picture changed so little that people hardly notice, but so that a classifier's answer changes.",
        SZEGEDY,
        r"f(x+\delta)\ne f(x),\quad \lVert\delta\rVert\ \text{small}",
    ),
    "base classifier": Term(
        "base classifier",
        "The pretrained classifier as it is, also called the classifier alone. In smoothing it, or it behind"
        " a denoiser, only answers for noisy copies, one class each.",
        COHEN,
        r"f:\mathbb{R}^d\to\{1,\dots,C\}",
    ),
    "smoothed classifier": Term(
        "smoothed classifier",
        "The class that the base classifier most probably says when noise is added. Certificates speak"
        " of it, not of the base classifier.",
        COHEN,
        r"g(x)=\arg\max_c\ \Pr_{\varepsilon\sim\mathcal N(0,\sigma^2I)}\left[f(x+\varepsilon)=c\right]",
    ),
    "denoised smoothing": Term(
        "denoised smoothing",
        "Smoothing with a denoiser before the classifier, so that a classifier that never saw noise can be used unchanged.",
        SALMAN,
        r"g(x)=\arg\max_c\ \Pr\left[f(D(x+\varepsilon))=c\right]",
    ),
    "denoiser": Term(
        "denoiser",
        "A network or filter that removes noise from a picture. It is part of what is smoothed, so it may be as"
        " good or as bad as it likes: the certificate stays true, only its radius suffers.",
        SALMAN,
    ),
    "sigma": Term(
        "sigma",
        "The standard deviation of the noise in every value of the picture, in [0, 1] units: 0.25 is 64 of 255 grey levels.",
        COHEN,
        r"\varepsilon\sim\mathcal N(0,\sigma^2I)",
    ),
    "vote": Term(
        "vote",
        "The base classifier's answer for one noisy copy. Votes are independent draws, so their count has a binomial"
        " distribution.",
        COHEN,
        r"k\sim\mathrm{Binomial}(n,p)",
    ),
    "n0 and n": Term(
        "n0 and n",
        "n0 copies choose the class to count; n fresh ones count it. Counting the first again would make the bound too high.",
        COHEN,
    ),
    "Clopper-Pearson bound": Term(
        "Clopper-Pearson bound",
        "The exact lower bound on a probability from a fixed number of votes: it is above the truth"
        " with probability at most alpha.",
        "Clopper and Pearson 1934, Biometrika 26",
        r"\underline p=\mathrm{Beta}^{-1}(\alpha;\ k,\ n-k+1)",
    ),
    "anytime bound": Term(
        "anytime bound",
        "A lower bound that holds after every vote at once, so that one may stop whenever one likes. It"
        " costs a little of the radius.",
        "Robbins 1970, Annals of Mathematical Statistics 41",
    ),
    "alpha": Term(
        "alpha", "The chance, at most, that the sample of noise misled us and the certificate is wrong. Usually 0.001.", COHEN
    ),
    "certificate": Term(
        "certificate",
        "The statement that the smoothed classifier's answer is the same for every change within the radius,"
        " with the numbers that let others check it.",
        COHEN,
    ),
    "certified radius": Term(
        "certified radius",
        "How far from the picture the answer provably stays. With Gaussian noise it is an l2 distance.",
        COHEN,
        r"R=\sigma\,\Phi^{-1}(\underline p)",
    ),
    "ceiling": Term(
        "ceiling",
        "The greatest radius that n votes can show, were all the same. At alpha 0.001 it is 2.46 sigma for n = 1,000.",
        COHEN,
        r"\sigma\,\Phi^{-1}\!\left(\alpha^{1/n}\right)",
    ),
    "abstain": Term(
        "abstain",
        "To give no answer, since no class has a sure majority. Abstaining counts as wrong in certified accuracy.",
        COHEN,
        r"\underline p\le\tfrac12",
    ),
    "l2 norm": Term(
        "l2 norm",
        "The ordinary length of a change: the root of the sum of its squares over all pixels and channels.",
        COHEN,
        r"\lVert\delta\rVert_2=\sqrt{\textstyle\sum_i\delta_i^2}",
    ),
    "l-infinity norm": Term(
        "l-infinity norm",
        "The greatest change of any single value. A certified l2 radius R gives R divided by the root of"
        " the number of values, which is small for pictures.",
        YANG,
        r"\lVert\delta\rVert_\infty=\max_i|\delta_i|\le R/\sqrt d",
    ),
    "certified accuracy": Term(
        "certified accuracy", "The share of test pictures that are right and certified with at least a given radius.", COHEN
    ),
    "ACR": Term(
        "ACR",
        "Average certified radius: the mean of the radii, those of wrong answers counted as 0. One number for a whole"
        " curve, so never shown alone here.",
        ZHAI,
    ),
    "white-box and black-box": Term(
        "white-box and black-box",
        "Whether the denoiser was trained through the classifier that it serves (white-box) or"
        " without its gradients (black-box), as for a vendor's API.",
        SALMAN,
    ),
    "MSE and STAB": Term(
        "MSE and STAB",
        "Two aims in training a denoiser: to match the clean pixels (MSE), or to keep the classifier's clean answer (STAB).",
        SALMAN,
        r"\lVert D(x+\varepsilon)-x\rVert_2^2\quad\text{or}\quad \ell\big(f(D(x+\varepsilon)),f(x)\big)",
    ),
    "one-shot diffusion denoising": Term(
        "one-shot diffusion denoising",
        "One step of a diffusion model, at the time step whose noise is sigma, used as the denoiser.",
        CARLINI,
        r"\sqrt{(1-\bar\alpha_t)/\bar\alpha_t}=2\sigma",
    ),
    "sound certificate": Term(
        "sound certificate",
        "One whose noise is drawn exactly on the 8-bit grid, so that rounding in floating point leaves no gap in the proof.",
        "Voracek and Hein 2023, Sound Randomized Smoothing in Floating-Point Arithmetics",
    ),
}
"""By name, in the order in which the chapters meet them."""
