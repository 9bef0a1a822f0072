"""What axe, the accessibility checker, finds on a page."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"


def assert_accessible(page: Page, selector: str) -> None:
    """axe finds nothing wrong in the element of that selector.

    Its rules of whole pages are of no use for a part of one, but for those that our parts have broken: where headings
    and landmarks stand.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(f"(() => {{ const module = undefined, define = undefined; {AXE.read_text()} }})()")
    found = page.evaluate(
        """async selector => {
            const { violations } = await window.axe.run(selector, { rules: { region: { enabled: false } } });
            return violations.map(({ id, nodes }) => `${id}: ${nodes.map(node => node.html).join(' ')}`);
        }""",
        selector,
    )
    assert found == [], "\n".join(found)
