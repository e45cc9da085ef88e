"""The workflow as a picture: which rule makes what of which, drawn as SVG for a page.

Only names and arrows: what there was to run in one case stands in plan.json. A test holds the
arrows against what Snakemake says of its rules.
"""

from __future__ import annotations

from html import escape

from trialwatt.figures.products import PRODUCTS, Product

_WIDTH, _HEIGHT, _ACROSS, _DOWN = 190, 44, 214, 84


def drawn() -> dict[str, Product]:
    """The products that are in the picture."""
    return {name: product for name, product in PRODUCTS.items() if product.said}


def taken(product: Product) -> list[str]:
    """What a product in the picture is made of, as far as that is in it."""
    return [one for one in product.takes if one in drawn()]


def layers() -> list[list[str]]:
    """The rules in rows: each below all that it takes from."""
    depth: dict[str, int] = {}
    for name, product in drawn().items():
        depth[name] = 1 + max((depth[one] for one in taken(product)), default=-1)
    return [[n for n in drawn() if depth[n] == row] for row in range(max(depth.values()) + 1)]


def graph_svg() -> str:
    """An SVG element; it takes its colours (--ink, --soft, --line, --tint) from the page."""
    rows = layers()
    wide = max(len(row) for row in rows)
    width, height = wide * _ACROSS, len(rows) * _DOWN
    place = {
        name: (int((wide - len(row)) * _ACROSS / 2 + column * _ACROSS), number * _DOWN)
        for number, row in enumerate(rows)
        for column, name in enumerate(row)
    }
    lines = [_arrow(place[one], place[name]) for name in drawn() for one in taken(drawn()[name])]
    boxes = [_box(name, *place[name]) for name in drawn()]
    said = "; ".join(
        f"{name} takes from {', '.join(taken(product))}"
        for name, product in drawn().items()
        if taken(product)
    )
    return (
        f'<svg viewBox="-4 -4 {width + 8} {height - _DOWN + _HEIGHT + 8}" role="img" '
        f'aria-label="{escape(said)}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="var(--soft)"/></marker></defs>'
        + "".join(lines)
        + "".join(boxes)
        + "</svg>"
    )


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1, x2, y2 = start[0] + _WIDTH // 2, start[1] + _HEIGHT, end[0] + _WIDTH // 2, end[1]
    middle = (y1 + y2) // 2
    curve = f"C{x1} {middle} {x2} {middle} {x2} {y2 - 1}"
    gap = _DOWN - _HEIGHT
    if y2 - y1 > gap:  # past the boxes between, not behind them
        beside = x2 + (-1 if x1 < x2 else 1) * _ACROSS // 2
        curve = (
            f"C{x1} {y1 + gap // 2} {beside} {y1 + gap // 2} {beside} {y1 + gap}V{y2 - gap}"
            f"C{beside} {y2 - gap // 2} {x2} {y2 - gap // 2} {x2} {y2 - 1}"
        )
    return (
        f'<path d="M{x1} {y1}{curve}" fill="none" '
        'stroke="var(--soft)" stroke-width="1.2" marker-end="url(#tip)"/>'
    )


def _box(name: str, x: int, y: int) -> str:
    middle = x + _WIDTH // 2
    return (
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="var(--tint)" '
        'stroke="var(--line)"/>'
        f'<text x="{middle}" y="{y + 18}" text-anchor="middle" font-size="14" '
        f'font-weight="600" fill="var(--ink)">{escape(name)}</text>'
        f'<text x="{middle}" y="{y + 35}" text-anchor="middle" font-size="12" '
        f'fill="var(--soft)">{escape(drawn()[name].said)}</text>'
    )
