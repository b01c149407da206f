"""Tables as Excel, Kaggle and people write them: the right rows, or one line that says how to go on."""

import unicodedata
import warnings

import pytest
from support.checks import line
from support.images import fill_different

from helpers.data import CsvDataset
from helpers.errors import LessonError
from helpers.tables import read_class_names, read_table


@pytest.fixture
def pictures(tmp_path):
    folder = fill_different(tmp_path / "images", 4)
    fill_different(folder / "more", 1, ".jpg")
    (folder / "more" / "picture_0.jpg").rename(folder / "more" / "deep.jpg")
    return folder


def write(folder, text: str, encoding: str = "utf-8"):
    table = folder.parent / "labels.csv"
    table.write_bytes(text.encode(encoding))
    return table


def names(dataset) -> list[str]:
    return [path.rpartition("/")[2] for path, _ in dataset.samples]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom"])
def test_what_says_how_it_is_written_is_read(pictures, encoding):
    text = "file,label\npicture_0.png,Süßgras\npicture_1.png,Żurawina\n"
    table = write(pictures, "\ufeff" + text if "bom" in encoding else text, encoding.removesuffix("-bom"))
    assert CsvDataset(table, pictures).classes == ["Süßgras", "Żurawina"]


@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman", "cp1250"])
def test_what_does_not_is_refused_until_it_is_said(pictures, encoding):
    table = write(pictures, "file,label\npicture_0.png,Öl\npicture_1.png,Erdöl\n", encoding)
    with pytest.raises(LessonError, match="is not written in utf-8; in Excel, save it as CSV UTF-8, or say") as error:
        CsvDataset(table, pictures)
    line(error)
    assert CsvDataset(table, pictures, encoding=encoding).classes == ["Erdöl", "Öl"]


@pytest.mark.parametrize(("delimiter", "shown"), [(";", "';'"), ("\t", r"'\t'"), ("|", r"'|'")])
def test_other_separators_are_named_and_can_be_given(pictures, delimiter, shown):
    table = write(pictures, f"file{delimiter}label\npicture_0.png{delimiter}a, b\npicture_1.png{delimiter}c\n")
    with pytest.raises(LessonError) as error:
        CsvDataset(table, pictures)
    assert f"separated by {shown}; give delimiter={shown}." in line(error)
    assert CsvDataset(table, pictures, delimiter=delimiter).classes == ["a, b", "c"]


def test_blanks_and_empty_rows_of_spreadsheets_do_not_count(pictures):
    table = write(pictures, " file , label ,\npicture_0.png , fox,\n,,\npicture_1.png,  fox \n\n,,\n")
    dataset = CsvDataset(table, pictures)
    assert (dataset.classes, len(dataset)) == (["fox"], 2)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("picture_2", "picture_2.png"),  # an id
        ("PICTURE_2.PNG", "picture_2.png"),
        ("./picture_2.png", "picture_2.png"),
        ("more\\deep.jpg", "deep.jpg"),
        (".\\more\\deep", "deep.jpg"),
        ("more/../picture_2.png", "picture_2.png"),
    ],
)
def test_files_are_found_as_people_write_them(pictures, written, meant):
    assert names(CsvDataset(write(pictures, f"file,label\n{written},a\n"), pictures)) == [meant]
    assert CsvDataset(write(pictures, f"file,label\n{pictures / 'picture_1.png'},a\n"), pictures)[0][1] == 0


def test_names_in_the_other_form_of_unicode_are_found(pictures):
    composed, decomposed = (unicodedata.normalize(form, "Möhre.png") for form in ("NFC", "NFD"))
    for there, written in ((composed, decomposed), (decomposed, composed)):
        (pictures / "picture_3.png").rename(pictures / there)
        assert names(CsvDataset(write(pictures, f"file,label\n{written},a\n"), pictures)) == [there]
        (pictures / there).rename(pictures / "picture_3.png")


def test_a_name_for_two_files_is_refused(pictures):
    (pictures / "picture_0.jpg").write_bytes((pictures / "picture_0.png").read_bytes())
    with pytest.raises(LessonError, match=r"'picture_0' may be picture_0\.jpg and picture_0\.png .*; write the whole"):
        CsvDataset(write(pictures, "file,label\npicture_0,a\n"), pictures)


@pytest.mark.parametrize("again", ["picture_0.png", "./picture_0.png", "picture_0", "more/../picture_0.png"])
def test_a_row_twice_counts_once_and_a_contradiction_is_refused(pictures, again):
    with pytest.warns(UserWarning, match="has 1 rows for files that it has named before"):
        dataset = CsvDataset(write(pictures, f"file,label\npicture_0.png,a\n{again},a\npicture_1.png,b\n"), pictures)
    assert names(dataset) == ["picture_0.png", "picture_1.png"]
    with pytest.raises(LessonError, match="gives 'picture_0.png' the labels 'a' and 'b'; keep the row that is right"):
        CsvDataset(write(pictures, f"file,label\npicture_0.png,a\n{again},b\n"), pictures)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("Fox", "fox", "hen"), "'Fox' and 'fox', which look alike"),
        (("red fox", "red_fox", "hen"), "'red fox' and 'red_fox', which look alike"),
        (("fox ", "fox", "hen"), None),  # blanks around do not count
        (("1", "2", "10"), None),
        (("a", "A", "b"), "'A' and 'a', which look alike"),
    ],
)
def test_labels_that_look_alike(pictures, labels, said):
    table = write(pictures, "file,label\n" + "".join(f"picture_{i}.png,{name}\n" for i, name in enumerate(labels)))
    if said:
        with pytest.raises(LessonError, match=said) as error:
            CsvDataset(table, pictures)
        line(error)
    else:
        assert len(CsvDataset(table, pictures)) == 3
    given = CsvDataset(table, pictures, class_names=sorted({name.strip() for name in labels}))
    assert len(given) == 3, "handwritten letters: a and A are two classes"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,MEL,NV,BCC\npicture_0,0.0,1.0,0.0\n", "MEL and 2 more hold only 0 and 1: make one column of them"),
        ("id_code,diagnosis\npicture_0,2\n", r"it has id_code, diagnosis: rename them, or give columns=\('id_code'"),
        ("sep=,\nfile,label\npicture_0.png,a\n", "no column 'file'"),
        ("file,label\npicture_0.png\n", "lacks a label in line 2: picture_0.png"),
        ("file,label\n,a\n", "lacks a file in line 2: ,a"),
        (
            "file,label\nnew/deep.jpg,a\nnew/x.jpg,a\n",
            r"'new/deep.jpg' and 1 more, which are not in .*it may be .*deep",
        ),
        ("file,label\nhttps://example.org/1.jpg,a\n", "names 'https://example.org/1.jpg', which is not in"),
        (f"file,label\n{'x' * 5000}.png,a\n", "which is not in"),
        ('file,label\n"picture_0.png,a\n' + "x" * 200_000, "is no CSV file|no rows|lacks"),
    ],
)
def test_mistakes_are_one_line(pictures, text, said):
    with pytest.raises(LessonError, match=said) as error:
        CsvDataset(write(pictures, text), pictures)
    assert len(line(error)) < 6000


def test_columns_may_have_other_names(pictures):
    table = write(pictures, "id_code,diagnosis\npicture_0,2\npicture_1,0\n")
    assert CsvDataset(table, pictures, columns=("id_code", "diagnosis")).targets == [1, 0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "labels.csv is not there; check its name"),
        (b"PK\x03\x04xl/workbook.xml", "is an Excel workbook or a zip; save it as CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel workbook; save it as CSV"),
        ("file,label\npicture_0.png,a\n".encode("utf-16-le"), "say how it is, as in encoding='utf-16-le'"),
    ],
)
def test_files_that_are_no_tables(pictures, content, said):
    table = pictures.parent / "labels.csv"
    if content is not None:
        table.write_bytes(content)
    with pytest.raises(LessonError, match=said) as error:
        CsvDataset(table, pictures)
    line(error)


def test_folders_that_are_not_there_or_files(pictures):
    table = write(pictures, "file,label\npicture_0.png,a\n")
    with pytest.raises(LessonError, match="is a folder; give a file"):
        CsvDataset(pictures, pictures)
    with pytest.raises(LessonError, match="nowhere is not there; give the folder of the images"):
        CsvDataset(table, pictures / "nowhere")
    with pytest.raises(LessonError, match="is a file; give the folder of the images"):
        CsvDataset(table, table)
    with pytest.raises(LessonError, match="There is no encoding 'exel'"):
        CsvDataset(table, pictures, encoding="exel")


def test_a_table_is_read_without_pictures(pictures):
    table = write(pictures, "file,patient,age\na,p1,30\nb,p2,31\n")
    assert read_table(table, ("patient", "file")) == [("p1", "a"), ("p2", "b")]


def test_the_order_of_the_classes_can_be_fixed(pictures):
    order = pictures.parent / "classes.txt"
    order.write_text("\n10\n 2\n1 \n", encoding="utf-8")
    table = write(pictures, "file,label\npicture_0.png,1\npicture_1.png,10\n")
    assert read_class_names(order) == ["10", "2", "1"]
    assert CsvDataset(table, pictures, class_names=read_class_names(order)).targets == [2, 0]
    for text, said in (("a\nb\na\n", "has the class 'a' twice"), ("\n", "is empty")):
        order.write_text(text)
        with pytest.raises(LessonError, match=said):
            read_class_names(order)


def test_nothing_is_said_of_a_sound_table(pictures):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CsvDataset(write(pictures, "file,label\npicture_0.png,a\npicture_1.png,b\n"), pictures)
