"""The browser's files, as far as they can be checked without a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

STATIC = Path(str(files("spermseg.web"))) / "static"
SCRIPTS = sorted(STATIC.rglob("*.js"))
STYLES = sorted(STATIC.rglob("*.css"))
CATALOGUES = sorted(
    path.name.removesuffix("en.json") for path in (STATIC / "i18n").glob("*en.json")
)
LANGUAGES = ("en", "es")
OUTSIDE = re.compile(r"(?:https?:)?//[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.IGNORECASE)
NAMESPACES = ("http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink")


def catalogue(name: str) -> dict[str, str]:
    pairs: list[tuple[str, str]] = json.loads(
        (STATIC / "i18n" / name).read_text(encoding="utf-8"), object_pairs_hook=list
    )
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"{name}: a key twice"
    return dict(pairs)


ENGLISH = {
    key: text for prefix in CATALOGUES for key, text in catalogue(f"{prefix}en.json").items()
}


class Page(HTMLParser):
    """Collects what a strict content security policy would not let through, and the text keys."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[str] = []
        self.keys: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in values):
            self.refused.append(f"<{tag}>")
        self.refused += [name for name in values if name == "style" or name.startswith("on")]
        self.keys += [str(values[name]) for name in values if name.startswith("data-i18n")]
        self.links += [str(values[name]) for name in ("src", "href") if values.get(name)]
        self.ids += [str(values["id"])] if "id" in values else []


def page() -> Page:
    parsed = Page()
    parsed.feed((STATIC / "index.html").read_text(encoding="utf-8"))
    return parsed


@pytest.mark.parametrize("prefix", CATALOGUES)
@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_language_has_the_same_keys_and_placeholders(prefix: str, language: str) -> None:
    english = catalogue(f"{prefix}en.json")
    other = catalogue(f"{prefix}{language}.json")
    assert english.keys() == other.keys()
    for key, text in english.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", other[key])), key


def test_catalogues_do_not_share_keys() -> None:
    assert len(ENGLISH) == sum(len(catalogue(f"{prefix}en.json")) for prefix in CATALOGUES)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_text_that_is_asked_for_is_there(script: Path) -> None:
    source = script.read_text(encoding="utf-8")
    plain = re.findall(r"""\bt\(\s*["']([^"']+)["']""", source)
    missing = [key for key in plain if key not in ENGLISH and f"{key}.other" not in ENGLISH]
    assert not missing
    # Of keys that are put together, what comes before the first value has to lead somewhere.
    for start in re.findall(r"\bt\(\s*`([^`$]+)\$\{", source):
        assert any(key.startswith(start) for key in ENGLISH), start


def test_every_text_of_the_page_is_there() -> None:
    assert set(page().keys) <= ENGLISH.keys()


def test_the_page_holds_nothing_that_its_policy_refuses() -> None:
    assert page().refused == []


def test_the_page_links_to_files_that_are_there() -> None:
    links = [link for link in page().links if not link.startswith("#")]
    assert links
    for link in links:
        assert (STATIC / link.removeprefix("/static/")).is_file(), link


def test_ids_are_used_once() -> None:
    ids = page().ids
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_import_files_that_are_there(script: Path) -> None:
    source = script.read_text(encoding="utf-8")
    for target in re.findall(r"""\b(?:from|import)\s+["']([^"']+)["']""", source):
        assert target.startswith("."), f"{target} is no file of ours"
        assert (script.parent / target).is_file(), target


@pytest.mark.parametrize(
    "file",
    [*SCRIPTS, *STYLES, STATIC / "index.html", STATIC / "icon.svg"],
    ids=lambda path: path.name,
)
def test_nothing_leads_to_other_hosts(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    for namespace in NAMESPACES:
        source = source.replace(namespace, "")
    assert not OUTSIDE.findall(source)
    assert "@import" not in source


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_do_what_the_policy_allows(script: Path) -> None:
    source = script.read_text(encoding="utf-8")
    forbidden = (
        r"\beval\(|new Function\(|setAttribute\(\s*[\"']style|cssText|innerHTML|insertAdjacentHTML"
    )
    assert not re.findall(forbidden, source)
    assert not re.findall(r"\bstyle:\s*[\"'`]", source), "style attributes are refused"


PARSE_ALL = """
const { readFileSync } = require("node:fs");
const { SourceTextModule } = require("node:vm");
for (const path of process.argv.slice(1)) {
  new SourceTextModule(readFileSync(path, "utf8"), { identifier: path });
}
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_scripts_parse() -> None:
    command = ["node", "--no-warnings", "--experimental-vm-modules", "-e", PARSE_ALL]
    done = subprocess.run([*command, *map(str, SCRIPTS)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
