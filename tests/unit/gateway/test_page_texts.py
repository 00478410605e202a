"""The web page, read as text: what a browser is not needed for."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "operator/training_gateway/page"
SCRIPTS = {path.relative_to(PAGE).as_posix(): path.read_text() for path in sorted(PAGE.rglob("*.js"))}
CODE = {name: text for name, text in SCRIPTS.items() if not name.startswith("js/texts/")}
_TEXT = re.compile(r'"([\w.]+)":\s*"((?:[^"\\]|\\.)*)"')
_PLURAL = re.compile(r"\.(one|other)$")


def texts(language: str) -> dict[str, str]:
    return dict(_TEXT.findall(SCRIPTS[f"js/texts/{language}.js"]))


ENGLISH, CHINESE = texts("en"), texts("zh")


def test_every_text_is_there_in_chinese() -> None:
    # Chinese has one form for every number.
    assert [key for key in ENGLISH if key not in CHINESE and not key.endswith(".one")] == []
    assert [key for key in CHINESE if key not in ENGLISH] == []


def test_a_translation_has_the_same_values_in_it() -> None:
    def values(text: str) -> list[str]:
        return sorted(re.findall(r"\{\w+\}", text))

    shared = set(ENGLISH) & set(CHINESE)
    assert [key for key in sorted(shared) if values(CHINESE[key]) != values(ENGLISH[key])] == []


def test_every_text_that_the_page_asks_for_is_there() -> None:
    asked = {key for text in CODE.values() for key in re.findall(r'\bt\(\s*"([\w.]+)"', text)}
    known = {*ENGLISH, *(_PLURAL.sub("", key) for key in ENGLISH)}
    assert asked
    assert asked - known == set()


@pytest.mark.parametrize("name", sorted(CODE))
def test_no_data_becomes_markup_and_nothing_is_evaluated(name: str) -> None:
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", CODE[name]) == []


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_every_module_that_is_imported_is_shipped(name: str) -> None:
    folder = (PAGE / name).parent
    imported = re.findall(r'from "([^"]+)"', SCRIPTS[name])
    assert [path for path in imported if not (folder / path).is_file()] == []


def test_nothing_comes_from_elsewhere_and_no_script_stands_in_the_page() -> None:
    page = (PAGE / "index.html").read_text()
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page) == []
    assert re.findall(r"<script(?![^>]* src=)|\son\w+=|<style|\sstyle=", page) == []
