"""Known weaknesses of what vde-nb depends on, as far as a database of advisories can be reached.

``python -m tests.security.audit PIP_AUDIT SITE_PACKAGES`` runs pip-audit, which stands in an
environment of its own, on what is installed in SITE_PACKAGES. Exit status 1: there is a weakness
that a newer version does not have. A network that does not answer is no weakness: the last line
says that nothing was looked up.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

_SECONDS = 120
#: Advisories that do not concern us, each with the reason.
PASSED_OVER: dict[str, str] = {}


def judged(report: dict[str, Any]) -> tuple[int, list[str]]:
    """Exit status, and lines to print, for what pip-audit reported."""
    found = report.get("dependencies", [])
    looked_up = [one for one in found if "skip_reason" not in one]
    if not looked_up:
        return 0, ["audit skipped: no advisory database reachable"]
    lines, status = [], 0
    for one in looked_up:
        for weakness in one.get("vulns", []):
            names = {weakness["id"], *weakness.get("aliases", [])}
            why = next((PASSED_OVER[name] for name in names if name in PASSED_OVER), "")
            fixed = ", ".join(weakness.get("fix_versions", []))
            said = f"passed over: {why}" if why else f"fixed in {fixed}" if fixed else "not fixed"
            lines.append(f"{one['name']} {one['version']}: {weakness['id']}, {said}")
            status |= bool(fixed and not why)
    counts = f"{len(looked_up)} of {len(found)} packages looked up, {len(lines)} advisories"
    return status, [*lines, f"audit: {counts}"]


def main(program: str, place: str) -> int:
    """Run pip-audit and judge what it says."""
    command = [program, "--path", place, "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
        report = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        report = {}
    status, lines = judged(report)
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
