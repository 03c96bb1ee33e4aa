"""Versions on disk: nothing lost, nothing overwritten, damage named."""

from __future__ import annotations

import json
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spermseg.correction import VersionConflictError, VersionStore, edit_from_dict, versions
from spermseg.errors import DataError, UsageError
from spermseg.result import read_sperm

from .conftest import SIZE, everything

ADD = {"type": "add", "points": [[170.0, 100.0]], "radius": 8.0, "part": 5}
DELETE = {"type": "delete", "sperm": 2}


@pytest.fixture
def store(tmp_path):
    return VersionStore(tmp_path / "versions")


def save(store, drawn, edit, base=None):
    base = store.current("a1") if base is None else base
    after = drawn.after(**edit)
    scale = drawn.ground.scale
    return after, store.add("a1", base, edit_from_dict(edit), after.sperm, SIZE, scale)


def files(store):
    """Give the content of every file but locks."""
    return {
        str(path.relative_to(store.folder)): path.read_bytes()
        for path in store.folder.rglob("*.json")
    }


def dicts(sperm):
    return [everything(one) for one in sperm]


def test_without_corrections_the_original_is_shown(store):
    assert store.current("a1") == 0
    assert store.versions("a1") == ()
    assert store.undo_target("a1") is None
    assert store.redo_target("a1") is None
    assert not store.folder.exists()


def test_a_version_comes_back_as_it_was_saved(store, picture):
    after, made = save(store, picture, ADD)

    stored = VersionStore(store.folder).read("a1")

    assert (made.number, made.parent, made.corrected) == (1, 0, (4,))
    assert stored.version == made
    assert stored.scale == picture.ground.scale
    assert dicts(stored.sperm) == dicts(after.sperm)
    assert dicts(read_sperm(store.path("a1", 1))) == dicts(after.sperm)
    assert made.to_dict() == {
        "version": 1,
        "parent": 0,
        "edit": {"type": "add", "sperm": None},
        "time": made.time,
        "corrected": [4],
    }


def test_what_was_read_again_is_measured_to_the_same(store, picture):
    edit = {
        "type": "tail",
        "sperm": 2,
        "points": [[60.123, 90.7777], [100.3456, 71.9], [140.7, 70.1]],
    }
    save(store, picture, edit)
    read = VersionStore(store.folder).read("a1").sperm

    drawn = type(picture)(read, picture.ground)
    # A vacuole that is painted over again: all is as it was, and measured anew.
    vacuole = {"type": "paint", "sperm": 2, "part": 6, "points": [[28, 90.5]], "radius": 2}
    again = drawn.after(**vacuole).after(**{**vacuole, "part": 5})

    assert everything(again[2])["values"] == everything(drawn[2])["values"]


def test_undo_redo_and_a_branch_with_its_true_parent(store, picture):
    first, _ = save(store, picture, ADD)
    second, _ = save(store, first, DELETE)
    kept = files(store)

    assert store.undo_target("a1") == 1
    store.show("a1", 1)
    assert dicts(store.read("a1").sperm) == dicts(first.sperm)
    assert store.redo_target("a1") == 2
    store.show("a1", 0)
    assert store.current("a1") == 0
    assert store.undo_target("a1") is None
    assert store.redo_target("a1") == 1
    store.show("a1", 1)
    _, third = save(store, first, {"type": "delete", "sperm": 3})

    assert (third.number, third.parent) == (3, 1)
    assert store.undo_target("a1") == 1
    assert [one.parent for one in store.versions("a1")] == [0, 1, 1]
    assert dicts(store.read("a1", 2).sperm) == dicts(second.sperm)
    now = files(store)
    assert {name: now[name] for name in kept if "current" not in name} == {
        name: content for name, content in kept.items() if "current" not in name
    }


def test_a_correction_of_an_old_version_is_refused(store, picture):
    save(store, picture, ADD)
    kept = files(store)

    with pytest.raises(VersionConflictError, match="version 0 was corrected, but the current one"):
        save(store, picture, DELETE, base=0)

    assert files(store) == kept


def test_of_many_at_once_one_wins(store, picture):
    after = picture.after(**DELETE)
    outcomes = []

    def write():
        own = VersionStore(store.folder)  # As another process has it.
        edit = edit_from_dict(DELETE)
        try:
            outcomes.append(own.add("a1", 0, edit, after.sperm, SIZE, picture.ground.scale).number)
        except VersionConflictError:
            outcomes.append("refused")

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(str, outcomes)) == ["1", *["refused"] * 7]
    assert len(store.versions("a1")) == 1


@pytest.mark.parametrize("step", ["write_text", "write_json"])
def test_who_is_killed_while_saving_has_the_version_before(store, picture, monkeypatch, step):
    first, _ = save(store, picture, ADD)
    (store.folder / "a1/.0002.half.json").write_text('{"format_ver', encoding="utf-8")

    def killed(path, content):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(versions, step, killed)
        with pytest.raises(KeyboardInterrupt):
            save(store, first, DELETE)
    again = VersionStore(store.folder)

    assert again.current("a1") == 1
    assert dicts(again.read("a1").sperm) == dicts(first.sperm)
    _, made = save(again, first, DELETE)
    assert made.parent == 1
    assert again.current("a1") == made.number


def damage(path, change):
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda value: value.pop("sperm"), "sperm"),
        (lambda value: value.update(format_version=99), "format 99, this version reads"),
        (lambda value: value.update(version=7), "version 7"),
        (lambda value: value.update(id="other"), "'other'"),
        (lambda value: value.update(parent=1), "parent cannot be 1"),
        (lambda value: value.update(edit={"type": "draw"}), "this edit cannot be"),
        (lambda value: value.update(scale={"source": "guess", "length": 3}), "length"),
        (lambda value: value["sperm"][0].update(bbox=[0, 0, 1, 1]), "damaged"),
        (lambda value: value["sperm"][0].update(masks=[]), "damaged"),
    ],
)
def test_a_damaged_version_is_named(store, picture, change, said):
    save(store, picture, ADD)
    path = store.path("a1", 1)
    damage(path, change)

    with pytest.raises(DataError, match=said) as caught:
        VersionStore(store.folder).read("a1")

    assert caught.value.where == str(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b'{"version": 5}', b'{"version":"1"}']
)
def test_a_damaged_record_of_what_is_current_is_named(store, picture, content):
    save(store, picture, ADD)
    path = store.folder / "a1/current.json"
    path.write_bytes(content)

    with pytest.raises(DataError, match="to see the original") as caught:
        store.current("a1")

    assert caught.value.where == str(path)


def test_a_version_that_is_cut_off_is_named(store, picture):
    save(store, picture, ADD)
    path = store.path("a1", 1)
    path.write_bytes(path.read_bytes()[:-40])

    with pytest.raises(DataError, match="damaged"):
        VersionStore(store.folder).versions("a1")


def test_what_is_not_there_and_what_leads_elsewhere_is_refused(store, picture):
    save(store, picture, ADD)

    for missing in (2, -1):
        with pytest.raises(UsageError, match=f"no version {missing}"):
            store.show("a1", missing)
    with pytest.raises(UsageError, match="no version 0"):
        store.read("a1", 0)
    for name in ("../a1", "/etc", "", "a\\b"):
        with pytest.raises(UsageError, match="no name of a picture"):
            store.current(name)


def test_a_deleted_picture_is_forgotten(store, picture):
    save(store, picture, ADD)

    store.forget("a1")
    store.forget("a1")

    assert store.versions("a1") == ()
    assert store.current("a1") == 0


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["paint", "erase", "undo", "redo"]), max_size=6))
def test_undo_gives_exactly_the_state_before(tmp_path_factory, picture, steps):
    store = VersionStore(tmp_path_factory.mktemp("versions"))
    states = {0: picture}
    for number, step in enumerate(steps):
        current = store.current("a1")
        if step in ("paint", "erase"):
            edit = {"type": "paint", "sperm": 1, "part": 3, "erase": step == "erase"}
            edit |= {"points": [[100 + 10 * number, 31]], "radius": 4}
            try:
                after, made = save(store, states[current], edit)
            except UsageError:
                continue
            states[made.number] = after
            assert made.parent == current
        else:
            target = store.undo_target("a1") if step == "undo" else store.redo_target("a1")
            if target is not None:
                store.show("a1", target)
        shown = store.current("a1")
        if shown:
            for reader in (store, VersionStore(store.folder)):
                assert dicts(reader.read("a1").sperm) == dicts(states[shown].sperm)
