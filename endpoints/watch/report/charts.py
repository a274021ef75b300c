"""The report's figures as SVG, in the colours of the page. Pure."""

from collections.abc import Sequence
from datetime import datetime
from math import ceil, floor, log10

from markupsafe import Markup, escape

from endpoints.watch.memory import Point

WIDTH = 720
NARROW = 440
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 12, 30


def _svg(height: int, label: str, *parts: str, width: int = WIDTH) -> Markup:
    inner = "".join(parts)
    return Markup(
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}" '
        f'preserveAspectRatio="xMidYMid meet">{inner}</svg>'
    )


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values that cover the range."""
    span = max(high - low, 1e-9)
    raw = span / about
    magnitude = 10.0 ** floor(log10(raw))
    step = next(size * magnitude for size in (1, 2, 2.5, 5, 10) if size * magnitude >= raw)
    first = ceil(low / step - 1e-9)
    return [n * step for n in range(first, floor(high / step + 1e-9) + 1)]


def loudest(path: Sequence[Point], most: int = 3) -> list[str]:
    """The checks, or checks of slices, that reached the highest evidence."""
    peaks: dict[str, float] = {}
    for point in path:
        for name, value in point.checks.items():
            peaks[name] = max(peaks.get(name, 0.0), value)
    return [name for name, peak in sorted(peaks.items(), key=lambda item: -item[1]) if peak > 0.05][:most]


def evidence(path: Sequence[Point], threshold: float, then: str) -> Markup:
    """The combined e-value and the loudest checks over time, against the threshold; `then` says what it means."""
    height = 280
    names = loudest(path)
    times = [point.moment.timestamp() for point in path]
    values = [point.log10_e for point in path]
    values += [point.checks[name] for point in path for name in names if name in point.checks]
    # What runs far beyond the threshold would flatten all else.
    high = max(threshold * 1.5, min(max(values, default=0.0), threshold * 4))
    low = max(min([0.0, *values]), -threshold * 2)
    first, last = (times[0], times[-1]) if times else (0.0, 1.0)
    span = max(last - first, 1.0)

    def x(moment: float) -> float:
        return LEFT + (moment - first) / span * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return height - BOTTOM - share * (height - TOP - BOTTOM)

    parts = []
    for tick in ticks(low, high):
        parts.append(_line(LEFT, y(tick), WIDTH - RIGHT, y(tick), "grid"))
        parts.append(_text(LEFT - 7, y(tick) + 4, f"{tick:g}", "axis", "end"))
    for name_place, name in enumerate(names):
        known = [
            (t, point.checks[name]) for t, point in zip(times, path, strict=True) if name in point.checks
        ]
        parts.append(_path([(x(t), y(v)) for t, v in known], f"line c{name_place + 2}"))
    parts.append(_path([(x(t), y(p.log10_e)) for t, p in zip(times, path, strict=True)], "line c1 strong"))
    parts.append(_line(LEFT, y(threshold), WIDTH - RIGHT, y(threshold), "bound"))
    # On the left, where the paths begin far below it.
    parts.append(_text(LEFT + 8, y(threshold) - 6, then, "note"))
    if max(values, default=0.0) > high:
        parts.append(_text(LEFT + 8, TOP + 12, "what is higher is not drawn", "note"))
    if path:
        begin, end = path[0].moment, path[-1].moment
        parts.append(_text(LEFT, height - 8, _clock(begin, end, begin), "axis"))
        parts.append(_text(WIDTH - RIGHT, height - 8, _clock(begin, end, end), "axis", "end"))
        crossed = next((p for p in path if p.log10_e >= threshold), None)
        if crossed is not None:
            at = x(crossed.moment.timestamp())
            parts.append(f'<circle cx="{at:.1f}" cy="{y(crossed.log10_e):.1f}" r="5" class="mark"/>')
    return _svg(height, "Evidence against the challenger over time", *parts)


def _clock(begin: datetime, end: datetime, moment: datetime) -> str:
    return f"{moment:%H:%M:%S}" if (end - begin).total_seconds() < 86_400 else f"{moment:%d %b %H:%M}"


def _path(points: Sequence[tuple[float, float]], kind: str) -> str:
    if not points:
        return ""
    if len(points) == 1:
        (x, y), *_ = points
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="{kind} dot"/>'
    said = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{said}" class="{kind}"/>'


def scores(champion: Sequence[float], challenger: Sequence[float], threshold: float) -> Markup:
    """Shares of both versions by bin of the score, as steps, and the threshold of the decision."""
    height = 240
    shares = [[value / max(1.0, sum(arm)) for value in arm] for arm in (champion, challenger)]
    top = max(0.01, *shares[0], *shares[1]) * 1.08

    def x(score: float) -> float:
        return LEFT + score * (NARROW - LEFT - RIGHT)

    def y(share: float) -> float:
        return height - BOTTOM - share / top * (height - TOP - BOTTOM)

    parts = []
    for tick in ticks(0, top, 4):
        parts.append(_line(LEFT, y(tick), NARROW - RIGHT, y(tick), "grid"))
        parts.append(_text(LEFT - 7, y(tick) + 4, f"{100 * tick:g}%", "axis", "end"))
    for score in (0, 0.25, 0.5, 0.75, 1):
        parts.append(_text(x(score), height - 8, f"{score:g}", "axis", "middle"))
    for arm, kind in zip(shares, ("arm0", "arm1"), strict=True):
        points = [(0.0, 0.0)]
        for place, share in enumerate(arm):
            points += [(place / len(arm), share), ((place + 1) / len(arm), share)]
        points.append((1.0, 0.0))
        said = " ".join(f"{x(score):.1f},{y(share):.1f}" for score, share in points)
        parts.append(f'<polygon points="{said}" class="{kind}"/>')
    parts.append(_line(x(threshold), TOP, x(threshold), height - BOTTOM, "cut"))
    parts.append(_text(x(threshold) + 6, TOP + 12, f"yes from {threshold:g} on", "note"))
    return _svg(height, "Distribution of the scores of both versions", *parts, width=NARROW)


def timeline(events: Sequence[tuple[datetime, str]]) -> Markup:
    """Numbered events along the time of the release; the numbers are those of the list below it."""
    height = 64
    first, last = events[0][0].timestamp(), events[-1][0].timestamp()
    span = max(last - first, 1.0)
    parts = [_line(LEFT, 30, WIDTH - RIGHT, 30, "rail")]
    taken: list[float] = []
    for moment, _ in events:
        at = LEFT + 10 + (moment.timestamp() - first) / span * (WIDTH - LEFT - RIGHT - 20)
        # Events of the same moment stand beside each other.
        while any(abs(at - other) < 21 for other in taken):
            at += 21
        taken.append(at)
    over = max(0.0, max(taken) - (WIDTH - RIGHT - 10))
    for number, ((_, kind), at) in enumerate(zip(events, taken, strict=True), 1):
        at -= over * (at - LEFT) / max(1.0, max(taken) - LEFT)
        parts.append(f'<circle cx="{at:.1f}" cy="30" r="10" class="event {kind}"/>')
        parts.append(_text(at, 34, str(number), "number", "middle"))
    begin, end = events[0][0], events[-1][0]
    parts.append(_text(LEFT, 60, f"{begin:%d %b %Y %H:%M:%S} UTC", "axis"))
    parts.append(_text(WIDTH - RIGHT, 60, f"{end:%d %b %Y %H:%M:%S} UTC", "axis", "end"))
    return _svg(height, "Timeline of the release", *parts)


def band(observed: float, tolerated: float, accepted: float, one_sided: bool = False) -> Markup:
    """A difference within its margins: the inner band is tolerated, the outer one still accepted.

    Args:
        one_sided: only what is above is bounded; all that is below is within.
    """
    reach = max(abs(observed), accepted, 1e-6) * 1.15
    width, height = 160, 18

    def x(value: float) -> float:
        return width / 2 + value / reach * width / 2

    def bar(limit: float, kind: str) -> str:
        left = 0.0 if one_sided else x(-limit)
        return f'<rect x="{left:.1f}" y="4" width="{x(limit) - left:.1f}" height="10" class="{kind}"/>'

    return Markup(
        f'<svg class="band" viewBox="0 0 {width} {height}" role="img" aria-label="observed {observed:+.3f}, '
        f'tolerated up to {tolerated:g}, accepted up to {accepted:g}">'
        + bar(accepted, "outer")
        + bar(tolerated, "inner")
        + _line(x(0), 2, x(0), 16, "zero")
        + f'<circle cx="{x(observed):.1f}" cy="9" r="4.5" class="value"/></svg>'
    )
