"""Put what was measured into a page, between two markers that name it."""

from pathlib import Path


def write(page: Path, name: str, text: str) -> None:
    """Replace what stands between ``<!-- name begin -->`` and ``<!-- name end -->``."""
    begin, end = f"<!-- {name} begin -->", f"<!-- {name} end -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{page} has no lines {begin} and {end} to put the tables between")
    page.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")
