"""Which files are handed out to run Smarthost with."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
GUIDE = ROOT / "docs" / "deployment.md"
COMPOSE = [*sorted(ROOT.glob("compose*.yaml")), *sorted((DEPLOY / "docker").glob("*.yaml"))]
EVERYTHING = [
    ROOT / "Dockerfile",
    *COMPOSE,
    *sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path not in COMPOSE),
    GUIDE,
]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))
