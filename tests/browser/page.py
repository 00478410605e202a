"""The page as a person uses it: what is on the screen is read, what is pressed is found by the words on it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from selenium.common.exceptions import ElementNotInteractableException, StaleElementReferenceException
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from support.waiting import wait_for

PASSING = (StaleElementReferenceException, ElementNotInteractableException)
"""What is drawn anew while one looks at it."""


@dataclass(frozen=True)
class Page:
    """One tab of a browser."""

    browser: WebDriver
    address: str

    def open(self, place: str = "/") -> None:
        self.browser.get(f"{self.address}/#{place}")

    def log_in(self, token: str, place: str = "/") -> None:
        self.open(place)
        self.paste_token(token)
        self.wait("header nav")

    def paste_token(self, token: str) -> None:
        self.type("input[name=token]", token)
        self.press(".token-form > button")

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def wait(self, selector: str, says: str = "", shown: bool = True) -> WebElement:
        """The first element that is shown, and has these words."""

        def look() -> WebElement | None:
            for element in self.all(selector):
                if (not shown or element.is_displayed()) and says in element.text:
                    return element
            return None

        return self.find(look, f"{selector} with {says!r}")

    def wait_until_gone(self, selector: str) -> None:
        self.find(lambda: not any(element.is_displayed() for element in self.all(selector)), f"no {selector}")

    def find(self, look: Callable[[], Any], what: str) -> Any:
        """As `wait_for`; the failure shows what is on the screen, and the browser's own log."""

        def patient() -> Any:
            try:
                return look()
            except PASSING:
                return None

        try:
            return wait_for(patient, what)
        except AssertionError as error:
            screen = self.browser.find_element(By.TAG_NAME, "body").text
            raise AssertionError(f"{error}\n{screen}\n{self.browser.get_log('browser')}") from None

    def press(self, selector: str, says: str = "") -> None:
        def look() -> bool:
            found = [
                each for each in self.all(selector) if says in each.text and each.is_displayed() and each.is_enabled()
            ]
            if found:
                self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", found[0])
                found[0].click()
            return bool(found)

        self.find(look, f"{selector} with {says!r} to press")

    def type(self, selector: str, text: str) -> None:
        element = self.wait(selector)
        element.clear()
        element.send_keys(text)

    def choose(self, selector: str, value: str) -> None:
        Select(self.wait(selector)).select_by_value(value)

    def row(self, name: str) -> str:
        """The selector of a training's line in the list."""
        return f"tr[data-name='{name}']"

    def has_state(self, state: str, within: str = ".job-state") -> None:
        self.wait(f"{within} .badge[data-state={state}]")

    def points(self, curve: str) -> int:
        """How many epochs a curve of the page's first chart has."""
        curves = "return (document.querySelector('.canvas')?.data ?? []).filter(({name}) => name === arguments[0])"
        script = f"{curves}.flatMap(({{x}}) => [...x]).length"
        return int(self.browser.execute_script(script, curve))

    def complaints(self) -> list[str]:
        """What the browser has logged: above all, what the page's own policy forbids.

        But for requests that failed, and for the styles that plotly has for maps, which no chart here needs.
        """
        logged = [entry["message"] for entry in self.browser.get_log("browser") if entry["source"] != "network"]
        return [line for line in logged if not ("plotly.min.js" in line and "inline style" in line)]
