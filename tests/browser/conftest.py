"""Debian's Chromium before the real gateway, operator and trainers, on the embedded cluster."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver

from browser.accounts import Accounts
from browser.gateway import Gateway
from browser.page import Page
from local_cluster.cluster import LocalCluster
from local_cluster.ports import reserved_ports
from quickstart.product import NAMESPACE, OperatorProcess
from support.kubectl import Kubectl

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1400,1100")


@pytest.fixture(scope="module")
def gateway(
    cluster: LocalCluster, operator: OperatorProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """With no more rights than deploy/gateway grants."""
    kubeconfig = cluster.service_account_kubeconfig(NAMESPACE, "trainingjob-gateway")
    with reserved_ports(1) as (port,):
        running = Gateway(kubeconfig, tmp_path_factory.mktemp("gateway"), port)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[WebDriver]:
    options = webdriver.ChromeOptions()
    options.binary_location = next(filter(None, map(shutil.which, CHROMIUM)), "")
    driver = shutil.which("chromedriver")
    if not options.binary_location or not driver:
        pytest.fail("chromium and chromedriver are needed: apt-get install chromium chromium-driver")
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(driver))
    yield running
    running.quit()


@pytest.fixture
def accounts(kubectl: Kubectl) -> Accounts:
    return Accounts(kubectl)


@pytest.fixture
def page(browser: WebDriver, gateway: Gateway, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Page]:
    """An empty tab: nobody is logged in. What breaks the page's own rules fails the test."""
    browser.get(f"{gateway.address}/icon.svg")
    browser.execute_script("sessionStorage.clear(); localStorage.clear()")
    browser.get_log("browser")
    page = Page(browser, gateway.address)
    yield page
    browser.save_screenshot(str(tmp_path / f"{request.node.name}.png"))
    assert page.complaints() == []
