"""A reader's own images: looked through, unpacked and split (lesson 09)."""

from helpers.archives import extract_pictures
from helpers.findings import Finding
from helpers.own_images.groups import groups_by_column, groups_by_day, groups_by_folder, groups_by_name
from helpers.own_images.report import FolderReport, check_folder
from helpers.own_images.splits import folder_datasets, split_folder, split_indices

__all__ = [
    "Finding",
    "FolderReport",
    "check_folder",
    "extract_pictures",
    "folder_datasets",
    "groups_by_column",
    "groups_by_day",
    "groups_by_folder",
    "groups_by_name",
    "split_folder",
    "split_indices",
]
