"""The benchmark's result: complete, consistent, without a place on this machine; no times."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spermseg.batch.inputs import Picture
from spermseg.benchmark import running
from spermseg.benchmark.timing import PictureTimes, mean_times, spread
from spermseg.data.images import read_image, write_image
from spermseg.errors import ImageError, UsageError
from spermseg.stages import STAGES


@pytest.fixture(scope="module")
def smears(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark") / "smears"
    image = np.full((32, 64, 3), 255, np.uint8)
    image[4:16, 4:12] = (0, 0, 255)
    write_image(folder / "a.png", image)
    write_image(folder / "b.png", image[:, :40])
    return folder


@pytest.fixture(scope="module")
def result(smears, colour_model):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "matrix_product_speed", lambda threads: 2e9 * threads)
        return running.run_benchmark(
            [smears], model=colour_model, threads=1, repeats=3, folder_pictures=3
        )


def test_every_picture_has_every_stage(result):
    assert [entry["file"] for entry in result["pictures"]] == ["a.png", "b.png"]
    for entry in (*result["pictures"], result["per_picture"]):
        assert tuple(entry["stages"]) == (*STAGES, "other")
        for times in (entry["seconds"], *entry["stages"].values()):
            assert 0 <= times["min"] <= times["median"]
        assert sum(times["min"] for times in entry["stages"].values()) <= entry["seconds"]["min"]
        # Stages that do something were measured; nothing of weight lies in none of them.
        assert all(entry["stages"][name]["min"] > 0 for name in STAGES if name != "scale")


def test_arithmetic_is_compared_with_the_ceiling(result):
    # 1 x 1 convolution from 3 to 6 channels.
    assert [entry["gflop"] for entry in result["pictures"]] == [
        2 * 18 * 32 * 64 / 1e9,
        2 * 18 * 32 * 40 / 1e9,
    ]
    network = result["network"]
    assert network["gflop_per_picture"] == pytest.approx(2 * 18 * 32 * 52 / 1e9)
    assert network["matrix_product_gflop_per_second"] == 2
    assert network["share"] == network["gflop_per_second"] / 2


def test_the_rest_is_there_and_names_no_place(result, smears):
    assert result["folder"]["pictures"] == 3
    assert result["threads"] == 1
    assert result["machine"]["cores"] >= 1
    assert result["peak_memory_mib"] is None or 20 < result["peak_memory_mib"] < 2000
    text = json.dumps(result, allow_nan=False)
    assert str(smears.parent) not in text


def test_least_and_median():
    assert spread([3.0, 1.0, 2.0, 9.0]) == {"min": 1.0, "median": 2.5}


def test_means_over_pictures():
    entries = [
        {
            "seconds": {"min": value, "median": value + 1},
            "stages": {"decode": {"min": value / 2, "median": value / 2}},
        }
        for value in (1.0, 3.0)
    ]
    assert mean_times(entries) == {
        "seconds": {"min": 2.0, "median": 3.0},
        "stages": {"decode": {"min": 1.0, "median": 1.0}},
    }


def test_a_picture_that_fails_is_named(tmp_path, colour_model):
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match=r"empty\.png: the file is empty"):
        running.run_benchmark([tmp_path], model=colour_model, repeats=1)


@pytest.mark.parametrize("name", ["threads", "repeats", "folder_pictures"])
def test_numbers_below_one_are_refused(name):
    with pytest.raises(UsageError, match="at least 1, got 0"):
        running.run_benchmark(**{name: 0})


def test_the_picture_that_comes_along_is_a_smear_of_1280_by_1024(tmp_path):
    image = read_image(running.synthetic_smear(tmp_path))
    assert image.shape == (1024, 1280, 3)
    assert image.std() > 5


def test_times_are_of_counted_runs_only_with_new_files(tmp_path):
    overlay = tmp_path / "overlays/a.jpg"
    overlay.parent.mkdir()

    class Job:
        calls = 0
        out = tmp_path

        def __call__(self, picture):
            self.calls += 1
            overlay.touch(exist_ok=False)
            return {"status": "done"}

    job = Job()
    times = PictureTimes(job, Picture(Path("a.png"), "a.png", "a"))
    times.run()
    for _ in range(2):
        times.measure()
    assert job.calls == 3
    content = times.to_dict()
    assert content["stages"]["other"] == content["seconds"]
