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
# The beginnings of these stand in the README, at full size.
FIRST_SCREENS = ("Start-desktop-light", "Certify-desktop-light", "Denoise-desktop-light", "Trade-offs-desktop-light",
                 "Learn-voting-desktop-light", "Certify-phone-dark")  # fmt: skip
HEAD = "| | desktop, light | desktop, dark | phone, light | phone, dark |\n|---|---|---|---|---|\n"


def main() -> None:
    """Write all of it."""
    for name in FIRST_SCREENS:
        shot = Image.open(SHOTS / f"{name}.png").convert("RGB")
        _save(shot.crop((0, 0, shot.width, min(900, shot.height))), HERE / f"{name.lower()}.png", 256)
    gallery = HERE / "gallery"
    gallery.mkdir(exist_ok=True)
    for old in gallery.glob("*.png"):
        old.unlink()
    names: dict[str, set[tuple[str, str]]] = {}
    for path in sorted(SHOTS.glob("[A-Z]*-*-*.png")):
        name, size, scheme = path.stem.rsplit("-", 2)
        shot = Image.open(path).convert("RGB")
        shot = shot.resize((WIDTHS[size], round(shot.height * WIDTHS[size] / shot.width)), Image.Resampling.LANCZOS)
        _save(shot.crop((0, 0, shot.width, min(TALLEST, shot.height))), gallery / f"{path.stem}.png", 64)
        names.setdefault(name, set()).add((size, scheme))
    rows = [f"| {name.replace('_', ' ')} | {' | '.join(_cell(name, *s) if s in sides else '' for s in SIDES)} |"
            for name, sides in names.items()]  # fmt: skip
    _replace_table(ROOT / "docs/pages.md", HEAD + "\n".join(rows) + "\n")
    _replace_table(ROOT / "docs/accessibility.md", (SHOTS / "axe.md").read_text(encoding="utf-8"))


def _save(shot: Image.Image, path: Path, colours: int) -> None:
    shot.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)


def _cell(name: str, size: str, scheme: str) -> str:
    return f"![{name.replace('_', ' ')}, {size}, {scheme}](images/gallery/{name}-{size}-{scheme}.png)"


def _replace_table(path: Path, table: str) -> None:
    """The table is the last thing in the document."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text.partition("\n| ")[0] + "\n" + table, encoding="utf-8")


if __name__ == "__main__":
    main()
