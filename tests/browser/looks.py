"""How a page looks: its theme, and what changed on it while nobody looked."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from .lab import command


def dark(page: Page, on: bool) -> None:
    """JupyterLab's dark or light theme, wholly there."""
    theme = "JupyterLab Dark" if on else "JupyterLab Light"
    command(page, "apputils:change-theme", {"theme": theme})
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    expect(page.locator("#jp-splash, #jupyterlab-splash")).to_have_count(0)


def record(page: Page, selector: str) -> None:
    """From now on, keep each text that the element of that selector shows; `recorded` gives them."""
    page.evaluate(
        """selector => {
            window.recorded = [];
            const look = () => {
                const text = document.querySelector(selector)?.textContent;
                if (text && text !== window.recorded.at(-1)) window.recorded.push(text);
            };
            new MutationObserver(look).observe(document.body,
                { subtree: true, childList: true, characterData: true });
            look();
        }""",
        selector,
    )


def recorded(page: Page) -> list[str]:
    """The texts since `record`, each once until another one came."""
    texts: list[str] = page.evaluate("window.recorded")
    return texts
