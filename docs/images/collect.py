"""Takes over what the browser tests saw: `python -m pytest tests/browser`, then `python docs/images/collect.py`.

The screenshots go to docs/images and docs/images/gallery, and the tables of docs/pages.md and docs/accessibility.md are
written anew.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SHOTS, HERE = ROOT / "screenshots", Path(__file__).parent
WIDTHS = {"desktop": 720, "phone": 260}
TALLEST = 1_600
SIDES = [(size, scheme) for size in WIDTHS for scheme in ("light", "dark")]
# The beginnings of these stand in the README, at full size: so many pixels of each.
FIRST_SCREENS = {
    "Start-desktop-light": 900,
    "Certify-desktop-light": 900,
    "Denoise-desktop-light": 900,
    "Trade-offs-desktop-light": 1_240,
    "Learn-voting-desktop-light": 900,
    "Certify-phone-dark": 844,
    "Attack-desktop-light": 1_240,
    "Vision_APIs-desktop-light": 1_240,
}
HEAD = "| | desktop, light | desktop, dark | phone, light | phone, dark |\n|---|---|---|---|---|\n"


def main() -> None:
    """Write all of it."""
    for name, height in FIRST_SCREENS.items():
        shot = Image.open(SHOTS / f"{name}.png").convert("RGB")
        shot = shot.crop((0, 0, shot.width, min(height, shot.height)))
        shot.save(HERE / f"{name.lower().replace('_', '-')}.png", optimize=True)
    gallery = HERE / "gallery"
    gallery.mkdir(exist_ok=True)
    for old in gallery.glob("*.png"):
        old.unlink()
    names: dict[str, set[tuple[str, str]]] = {}
    for path in sorted(SHOTS.glob("[A-Z]*-*-*.png")):
        name, size, scheme = path.stem.rsplit("-", 2)
        shot = Image.open(path).convert("RGB")
        shot = shot.resize((WIDTHS[size], round(shot.height * WIDTHS[size] / shot.width)), Image.Resampling.LANCZOS)
        shot = shot.crop((0, 0, shot.width, min(TALLEST, shot.height)))
        _few_colours(shot).save(gallery / f"{path.stem}.png", optimize=True)
        names.setdefault(name, set()).add((size, scheme))
    rows = [
        f"| {name.replace('_', ' ')} | {' | '.join(_cell(name, *s) if s in sides else '' for s in SIDES)} |"
        for name, sides in names.items()
    ]
    _replace_table(ROOT / "docs/pages.md", HEAD + "\n".join(rows) + "\n")
    _replace_table(ROOT / "docs/accessibility.md", (SHOTS / "axe.md").read_text(encoding="utf-8"))


def _few_colours(shot: Image.Image) -> Image.Image:
    """With a palette: coverage keeps the rare colours, a thin line's say, and k-means suits the others to the pictures."""
    return shot.quantize(192, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)


def _cell(name: str, size: str, scheme: str) -> str:
    return f"![{name.replace('_', ' ')}, {size}, {scheme}](images/gallery/{name}-{size}-{scheme}.png)"


def _replace_table(path: Path, table: str) -> None:
    """The table is the last thing in the document."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text.partition("\n| ")[0] + "\n" + table, encoding="utf-8")


if __name__ == "__main__":
    main()
