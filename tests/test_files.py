import os
from pathlib import Path

import pytest

from isoflop.files import read_json, replaced, write_bytes, write_json


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "state.json"
    write_json(path, {"a": 1})

    def interrupted():
        with replaced(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_content_is_on_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    done = []
    replace, fsync = Path.replace, os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (done.append("fsync"), fsync(number)))
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (done.append("rename"), replace(self, to))
    )
    write_bytes(tmp_path / "text", b"x")
    assert done == ["fsync", "rename", "fsync"]


def test_only_objects_are_read(tmp_path):
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ValueError, match=r"list\.json holds no JSON object"):
        read_json(tmp_path / "list.json")
