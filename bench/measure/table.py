"""Print what was measured: medians and ratios, runc being 1."""

from __future__ import annotations

from measure.scenarios import Samples, median

Results = dict[str, dict[str, Samples]]
BASE = "runc"


def summary(results: Results) -> dict[str, dict[str, dict[str, float]]]:
    """Return by config, scenario and runtime the median, for the JSON file."""
    return {
        kind: {
            scenario: {name: median(samples) for name, samples in measured.items()}
            for scenario, measured in scenarios.items()
        }
        for kind, scenarios in results.items()
    }


def render(results: Results, names: list[str], memories: tuple[str, ...]) -> str:
    """Return one Markdown table: a row per config and scenario, `value (ratio)` per runtime."""
    base = BASE if BASE in names else names[0]
    rows = [f"| | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    for kind, scenarios in results.items():
        for scenario, measured in scenarios.items():
            unit = "KiB" if scenario in memories else "ms"
            cells = [_cell(measured, name, base, unit) for name in names]
            rows.append(f"| {scenario}, {kind} config ({unit}) | {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(measured: Samples, name: str, base: str, unit: str) -> str:
    value, reference = median(measured[name]), median(measured[base])
    text = f"{value:.0f}" if unit == "KiB" else f"{value * 1000:.1f}"
    return f"{text} ({value / reference:.2f})"
