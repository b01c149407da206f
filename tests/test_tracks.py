"""The tracks: asked for and not there is an error with its remedy, never a silent fallback."""

import pytest

from helpers import tracks
from helpers.errors import LessonError

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def no_choice(monkeypatch):
    for name in ("TL_TRACK", "TL_IMAGES", "TL_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    (tmp_path / "train").mkdir()
    monkeypatch.setitem(tracks.IMAGES, "photos", tmp_path)
    return tmp_path


def test_embedded_is_the_default():
    track = tracks.current_track()
    assert (track.name, track.weights, track.size, track.test_split) == ("embedded", "embedded", 128, "test")
    assert "TL_TRACK=photos" in str(track)


def test_missing_photographs_name_the_command(tmp_path, monkeypatch):
    monkeypatch.setitem(tracks.IMAGES, "photos", tmp_path)
    monkeypatch.setenv("TL_TRACK", "photos")
    with pytest.raises(LessonError, match="make photos"):
        tracks.current_track()


def test_photos_bring_imagenet_weights(photos):
    track = tracks.current_track("photos")
    assert (track.folder, track.weights, track.size, track.test_split) == (photos, "IMAGENET1K_V1", 224, "val")


def test_halves_can_be_chosen_apart(photos, monkeypatch):
    monkeypatch.setenv("TL_IMAGES", "photos")
    track = tracks.current_track()
    assert (track.folder, track.weights, track.size) == (photos, "embedded", 160)
    assert "photos images, embedded weights" in str(track)


def test_a_folder_of_your_own(tmp_path, monkeypatch):
    (tmp_path / "train").mkdir()
    monkeypatch.setenv("TL_IMAGES", str(tmp_path))
    assert tracks.current_track().images == tmp_path


@pytest.mark.parametrize("variable", ["TL_TRACK", "TL_WEIGHTS"])
def test_a_misspelt_choice_lists_the_right_ones(variable, monkeypatch):
    monkeypatch.setenv(variable, "photo")
    with pytest.raises(LessonError, match="'photo'; choose one of embedded, photos"):
        tracks.current_track()
