"""Whatever a user hands over as pairs comes out as one iterator."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vde_nb as vde
from tests.batch.small import small_pair, write_pairs
from vde_nb.batch._pairs import list_pairs
from vde_nb.errors import SettingError
from vde_nb.images import ImagePair, load_pair


def taken(pairs: Any, **options: Any) -> list[Any]:
    return list(list_pairs(pairs, **options).pairs)


def test_a_list_of_paths_keeps_its_names_and_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (one,) = taken([("a/ref.png", Path("b/cur.png"))])
    assert one.texts == ("a/ref.png", "b/cur.png")
    assert one.name == "b/cur.png"
    assert one.reference == str(tmp_path / "a/ref.png")
    assert one.current == str(tmp_path / "b/cur.png")


def test_a_third_part_is_the_name() -> None:
    one, two = taken([("a.png", "b.png", "part 7"), {"reference": "a", "image": "b", "line": 3}])
    assert one.name == "part 7"
    assert two.texts == ("a", "b")
    assert two.given == {"line": 3}


def test_samples_pairs_and_arrays_are_taken_as_compare_takes_them() -> None:
    sample = vde.samples.load("board")
    arrays = small_pair(0)
    loaded = load_pair(*arrays)
    found = taken([sample, arrays, loaded])
    assert [one.name for one in found] == [sample.name, "pair 2", "pair 3"]
    assert isinstance(found[2].reference, ImagePair)
    assert found[2].current is None
    assert np.array_equal(found[1].current, arrays[1])


def test_an_array_that_is_written_into_later_stays_what_it_was() -> None:
    buffer, other = small_pair(0)
    before = buffer.copy()
    pairs = list_pairs(iter([(buffer, other)]))
    (one,) = pairs.pairs
    buffer[:] = 0
    assert np.array_equal(one.reference, before)


def test_a_file_object_is_read_when_its_turn_comes() -> None:
    (one,) = taken([(io.BytesIO(b"abc"), io.BytesIO(b"def"))])
    assert (one.reference, one.current) == (b"abc", b"def")


def test_a_generator_is_asked_for_one_pair_at_a_time() -> None:
    asked = []

    def make() -> Any:
        for number in range(5):
            asked.append(number)
            yield small_pair(number)

    listed = list_pairs(make())
    assert listed.total is None
    assert asked == []
    next(listed.pairs)
    assert asked == [0]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (5, "it is a int"),
        (("a.png",), "it is a tuple"),
        (("a.png", "b.png", 3), "its third part is no name"),
        ((None, "b.png"), "it has no reference"),
        (("a.png", None), "it has no current picture"),
        ({"reference": "a.png"}, "it has no current picture"),
        ((io.StringIO("x"), "b.png"), "not bytes"),
    ],
)
def test_what_is_no_pair_is_told_in_its_place_and_stops_nothing(item: Any, said: str) -> None:
    one, two = taken([item, ("a.png", "b.png")])
    assert said in one.problem
    assert one.problem.startswith("Pair 1: ")
    assert not two.problem


@pytest.mark.parametrize("value", [5, b"abc", "nothing.txt", "folder"])
def test_what_is_no_list_at_all_is_refused(value: Any) -> None:
    with pytest.raises(SettingError, match=r"give a list"):
        list_pairs(value)


def test_two_paths_that_are_no_folders_are_told_how_to_be_a_list() -> None:
    with pytest.raises(SettingError, match=r"\[\('a.png', 'b.png'\)\]"):
        list_pairs(("a.png", "b.png"))


def test_two_folders_are_matched_by_name_and_below_them_too(tmp_path: Path) -> None:
    for name in ("b10.png", "b9.png", "x/1.jpg", "only_here.png", ".hidden.png", "text.txt"):
        (tmp_path / "refs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "refs" / name).touch()
    for name in ("b10.png", "b9.jpg", "x/1.jpg", "run/pairs/1.jpg"):
        (tmp_path / "curs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "curs" / name).touch()
    folders = (tmp_path / "refs", tmp_path / "curs")
    listed = list_pairs(folders, skip=tmp_path / "curs" / "run")
    found = list(listed.pairs)
    assert [one.name for one in found] == ["b9.jpg", "b10.png", "x/1.jpg"]
    assert found[0].texts == (str(folders[0] / "b9.png"), str(folders[1] / "b9.jpg"))
    assert listed.total == 3
    assert listed.notes == (f"Without a partner of the same name in {folders[1]}: only_here.png.",)


def test_names_that_leave_open_which_is_meant_are_not_matched(tmp_path: Path) -> None:
    for name in ("refs/a.png", "curs/a.jpg", "curs/a.bmp", "refs/b.png", "curs/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    listed = list_pairs((str(tmp_path / "refs"), str(tmp_path / "curs")))
    assert [one.name for one in listed.pairs] == ["b.png"]
    assert len(listed.notes) == 2


def test_folders_without_a_common_name_are_an_error(tmp_path: Path) -> None:
    for name in ("refs/a.png", "curs/b.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.raises(SettingError, match="matched by name"):
        list_pairs((str(tmp_path / "refs"), str(tmp_path / "curs")))
    with pytest.raises(SettingError, match=r"There is no folder .*none"):
        list_pairs((str(tmp_path / "refs"), str(tmp_path / "none")))
    with pytest.raises(SettingError, match=r"b\.png is no folder\. Give two folders"):
        list_pairs((str(tmp_path / "refs"), str(tmp_path / "curs" / "b.png")))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_begins_where_it_lies_and_keeps_its_other_columns(
    tmp_path: Path, delimiter: str
) -> None:
    lines = ["Reference", "Current", "name", "line"], ["a.png", "sub/b.png", "part 1", "7"]
    table = tmp_path / "pairs.csv"
    table.write_text("\r\n".join(delimiter.join(line) for line in lines), "utf-8-sig")
    listed = list_pairs(str(table))
    (one,) = listed.pairs
    assert listed.total == 1
    assert one.name == "part 1"
    assert one.texts == ("a.png", "sub/b.png")
    assert one.current == str(tmp_path / "sub" / "b.png")
    assert one.given == {"line": "7"}
    (other,) = taken(str(table), root=tmp_path / "elsewhere")
    assert other.reference == str(tmp_path / "elsewhere" / "a.png")


def test_ndjson_and_parquet_are_the_same_table(tmp_path: Path) -> None:
    records = [{"reference": "a.png", "image": f"{n}.png", "lot": n, "ok": True} for n in range(5)]
    (tmp_path / "p.ndjson").write_text("\n".join(map(json.dumps, records)) + "\n\n", "utf-8")
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.Table.from_pylist(records), tmp_path / "p.parquet")
    one, two = (taken(tmp_path / name) for name in ("p.ndjson", "p.parquet"))
    assert [(a.texts, a.given) for a in one] == [(b.texts, b.given) for b in two]
    assert one[4].given == {"lot": 4, "ok": True}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("p.csv", "one,two\na,b\n", "needs the columns reference and current"),
        ("p.csv", "reference,current\n", "lists no pairs"),
        ("p.csv", "reference,current\na.png,b.png,c,d\n", "line 2: there are more values"),
        ("p.csv", 'reference,current\n"a.png,b.png\n', "unexpected end of data"),
        ("p.csv", b"reference,current\n\xff\xfe,b\n", "not UTF-8"),
        ("p.ndjson", '{"reference": 1', "line 1 is no JSON"),
        ("p.ndjson", "[1]", "line 1 is no object"),
        ("p.parquet", "nothing", "no Parquet file"),
    ],
)
def test_a_table_that_cannot_be_read_names_the_line(
    tmp_path: Path, name: str, text: str | bytes, said: str
) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingError, match=said):
        list_pairs(tmp_path / name)


def test_a_table_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        SettingError, match=r"none\.csv does not exist.*columns reference and current"
    ):
        list_pairs(tmp_path / "none.csv")


def test_what_a_table_holds_besides_is_bounded() -> None:
    record = {"reference": "a", "current": "b", "long": "x" * 10**6, "nan": float("nan")}
    record |= {f"column {n}": n for n in range(200)}
    (one,) = taken([{**record, "big": 10**40, "list": [1, 2]}])
    assert len(one.given) == 50
    assert len(one.given["long"]) == 1000
    assert one.given["nan"] is None


def test_a_folder_of_single_pictures_is_for_a_model(tmp_path: Path) -> None:
    write_pairs(tmp_path, 2)
    listed = list_pairs(tmp_path, single=True)
    found = list(listed.pairs)
    assert [one.name for one in found] == [
        "000_cur.png",
        "000_ref.png",
        "001_cur.png",
        "001_ref.png",
    ]
    assert all(one.reference is None for one in found)
    (one, two) = taken([small_pair(0)[1], "x.png"], single=True)
    assert one.reference is None
    assert two.name == "x.png"


class Unwilling:
    """An object that looks like a sample until it is asked."""

    current = "b.png"

    @property
    def reference(self) -> str:
        raise RuntimeError("the camera has gone")


class Closed(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise RuntimeError("the camera has gone")


@pytest.mark.parametrize(
    "item",
    [Unwilling(), (Closed(), "b.png"), {"reference": Closed(), "current": "b.png"}],
)
def test_an_object_that_raises_is_told_in_its_place_and_stops_nothing(item: Any) -> None:
    one, two = taken([item, ("a.png", "b.png")])
    assert one.problem == "Pair 1: it cannot be read: RuntimeError: the camera has gone."
    assert not two.problem


@pytest.mark.parametrize("column", ["reference", "note"])
def test_a_value_that_is_nested_too_deep_stops_nothing(tmp_path: Path, column: str) -> None:
    deep = "[" * 900 + "]" * 900
    record = {"reference": '"a.png"', "current": '"b.png"', "lot": "7"} | {column: deep}
    lines = ",".join(f'"{key}": {value}' for key, value in record.items())
    good = '{"reference": "a.png", "current": "b.png"}'
    (tmp_path / "p.ndjson").write_text(f"{{{lines}}}\n{good}\n")
    one, two = taken(tmp_path / "p.ndjson")
    if column == "reference":
        assert "Pair 1: it cannot be read: RecursionError" in one.problem
        assert one.given == {"lot": 7}
    assert not two.problem


@pytest.mark.parametrize("folder", [".", "pictures", "{absolute}"])
def test_results_below_the_pictures_are_no_pictures_however_paths_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    pictures = tmp_path / "pictures"
    write_pairs(pictures, 1)
    write_pairs(pictures / "run", 1)
    monkeypatch.chdir(pictures if folder == "." else tmp_path)
    where = folder.format(absolute=pictures)
    skips = {pictures / "run", Path(where) / "run"}
    for skip in skips:
        found = taken(where, single=True, skip=skip)
        assert [one.name for one in found] == ["000_cur.png", "000_ref.png"]
