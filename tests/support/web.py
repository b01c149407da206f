"""The web edition under test: a watch on what a page does."""

from playwright.sync_api import ConsoleMessage, Page


def complains(message: ConsoleMessage) -> bool:
    """Whether a page's program has said that something is wrong; that a file is missing, its answer says."""
    return message.type == "error" and not message.text.startswith("Failed to load resource")


def watched(page: Page) -> tuple[list[str], list[str]]:
    """What a page asks for, and what goes wrong on it; both lists grow as it does."""
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if complains(message) else None)
    return asked, wrong
