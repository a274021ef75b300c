"""Pictures as SVG, without a plotting library: bars of false rollbacks, and power against delay."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.judging import cells
from bench.judging.traffic import World, simulate

_STYLE = (
    "<style>text{font:12px system-ui,sans-serif;fill:#222}.m{fill:#666}.o{fill:#0b6e4f}.p{fill:#9aa5b1}"
    ".q{fill:#d17a22}.g{stroke:#ddd}.t{stroke:#b00020;stroke-dasharray:4 3}"
    "@media(prefers-color-scheme:dark){text{fill:#eee}.m{fill:#aaa}.g{stroke:#444}.b{fill:#1b1f24}}"
    ".b{fill:#fff}</style>"
)


def write(rows: list[dict[str, Any]], out: Path) -> None:
    """judge-false.svg, judge-detect.svg and judge-paths.svg."""
    (out / "judge-false.svg").write_text(_false(rows), encoding="utf-8")
    (out / "judge-detect.svg").write_text(_detect(rows), encoding="utf-8")
    (out / "judge-paths.svg").write_text(_paths(), encoding="utf-8")


def _svg(width: int, height: int, title: str, body: list[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">'
    ground = f'<rect class="b" width="{width}" height="{height}"/>'
    return "\n".join(
        [head, _STYLE, ground, f'<text x="12" y="22" font-weight="600">{title}</text>', *body, "</svg>\n"]
    )


def _false(rows: list[dict[str, Any]]) -> str:
    """Bars: S0 and S0b at 50 rps and a canary of 10 %, each judge as it is commonly set."""
    wanted = [
        r
        for r in rows
        if r["design"] == "canary 10 %" and r["rps"] == 50 and r["setting"] in ("usual", "as it comes")
    ]
    judges = list(dict.fromkeys(r["judge"] for r in wanted))
    body, y = [], 48
    for judge in judges:
        body.append(f'<text x="12" y="{y + 16}">{judge}</text>')
        for place, (scenario, mark) in enumerate((("S0", "p"), ("S0b", "q"))):
            share = next(r["rolled"] for r in wanted if r["judge"] == judge and r["scenario"] == scenario)
            top = y + 13 * place
            css = "o" if judge == cells.OURS else mark
            body.append(
                f'<rect class="{css}" x="150" y="{top}" width="{max(1, 440 * share):.1f}" height="11"/>'
            )
            body.append(
                f'<text class="m" x="{156 + 440 * share:.0f}" y="{top + 10}" font-size="10">'
                f"{scenario} {100 * share:.1f} %</text>"
            )
        y += 34
    x = 150 + 440 * cells.ALPHA
    body.append(f'<line class="t" x1="{x}" y1="40" x2="{x}" y2="{y}"/>')
    body.append(f'<text class="m" x="{x + 4}" y="{y + 12}">alpha, 5 %</text>')
    title = "Good releases rolled back within an hour: no change (S0), incident in both arms (S0b)"
    return _svg(680, y + 24, title, body)


def _detect(rows: list[dict[str, Any]]) -> str:
    """Points: false rollbacks under the incident against detection of 0.1 to 0.2 %, at 50 rps, thresholds tuned."""
    body = []
    for tick in range(0, 101, 25):
        x, y = 70 + 4.6 * tick, 330 - 2.7 * tick
        body.append(f'<line class="g" x1="70" x2="530" y1="{y:.0f}" y2="{y:.0f}"/>')
        body.append(f'<text class="m" x="36" y="{y + 4:.0f}">{tick} %</text>')
        body.append(f'<text class="m" x="{x - 10:.0f}" y="350">{tick} %</text>')
    body.append('<text x="70" y="374">false rollbacks when an incident hits both arms</text>')
    body.append('<text x="12" y="46">errors 0.1 to 0.2 % found within an hour</text>')
    taken: list[float] = []
    for row in rows:
        at = row["design"] == "canary 10 %" and row["rps"] == 50 and row["scenario"] == "S1b"
        if not at or row["setting"] not in ("tuned", "as it comes"):
            continue
        calm = next(
            r["rolled"]
            for r in rows
            if all(r[k] == row[k] for k in ("design", "rps", "judge", "setting")) and r["scenario"] == "S0b"
        )
        x, y = 70 + 460 * calm, 330 - 270 * row["rolled"]
        label = y + 4
        while any(abs(label - other) < 12 for other in taken):
            label += 12
        taken.append(label)
        css = "o" if row["judge"] == cells.OURS else "p"
        body.append(f'<circle class="{css}" cx="{x:.0f}" cy="{y:.0f}" r="6"/>')
        body.append(f'<text x="{x + 10:.0f}" y="{label:.0f}">{row["judge"]}</text>')
    return _svg(680, 390, "Thresholds tuned to 5 % on quiet traffic, then an incident and a real fault", body)


def _paths() -> str:
    """The combined evidence of twenty releases without change and of twenty with 0.1 to 0.5 %, minute by minute."""
    body = []
    for tick in (-1, 0, 1, 2, 3, 4):
        y = 260 - 44 * tick
        body.append(f'<line class="g" x1="60" x2="660" y1="{y}" y2="{y}"/>')
        body.append(f'<text class="m" x="20" y="{y + 4}">{tick}</text>')
    for ratio, color in ((1.0, "#9aa5b1"), (5.0, "#d17a22")):
        rng = cells.generator(cells.HELD_OUT, "paths", ratio)
        arms = simulate(World(error_ratio=ratio), "canary 10 %", 50, cells.LOOKS, 20, rng)
        for path in cells.our_log_e(arms, "canary 10 %", rng) / np.log(10):
            points = " ".join(
                f"{60 + 10 * i:.0f},{260 - 44 * min(4.4, max(-1.2, v)):.1f}" for i, v in enumerate(path)
            )
            body.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-opacity=".7"/>')
    y = 260 - 44 * float(np.log10(1 / cells.ALPHA))
    body.append(f'<line class="t" x1="60" x2="660" y1="{y:.0f}" y2="{y:.0f}"/>')
    body.append(f'<text class="m" x="520" y="{y - 4:.0f}">1/alpha: turned back</text>')
    body.append('<text x="60" y="332">minutes; grey: no change, orange: errors 0.1 to 0.5 %</text>')
    return _svg(680, 344, "log10 of the evidence against the challenger, 50 rps, canary of 10 %", body)
