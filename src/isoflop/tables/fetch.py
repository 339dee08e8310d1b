"""Downloads of data sets: by hash, cached, or from a local mirror."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from isoflop.errors import CatalogError
from isoflop.language import lazy_gettext
from isoflop.tables.source import Progress

if TYPE_CHECKING:
    from isoflop.tables.catalog import Dataset

MIRROR_SETTING = "ISOFLOP_DATA_MIRROR"
TIMEOUT_S = 20.0
MOST_WAIT_S = 20.0
_BLOCK_BYTES = 1 << 16


def fetch(
    dataset: Dataset, progress: Progress | None = None, *, timeout_s: float = TIMEOUT_S
) -> Path:
    """Return the path of a data set's file, downloading it if it is not here yet.

    Parameters
    ----------
    dataset : Dataset
        One with a ``url``.
    progress : callable or None
        Called with the share done; may raise to cancel.
    timeout_s : float
        How long a server may take to answer.

    Raises
    ------
    CatalogError
        If the network or the mirror does not give the file, or its hash is wrong.
    """
    mirror = os.environ.get(MIRROR_SETTING)
    if mirror:
        return _from_mirror(dataset, Path(mirror))
    return _download(dataset, progress, timeout_s)


def fetch_what_can_be(datasets: Iterable[Dataset], *, timeout_s: float = 3.0) -> list[Dataset]:
    """Download data sets that are not here, quietly; return those that are here afterwards.

    Where there is no network the first failure ends it, and so does a wait of `MOST_WAIT_S` for all
    together: set-up must neither fail nor hang for want of it. What is not here by then is given
    up, not downloaded behind the caller's back.
    """
    asked = list(datasets)
    is_given_up = threading.Event()

    def go_on(_share: float = 0.0, _text: str = "") -> None:
        if is_given_up.is_set():
            raise CatalogError(lazy_gettext("The wait for the downloads is over."))

    def download() -> None:
        with suppress(CatalogError):
            for dataset in asked:
                go_on()
                if not dataset.is_here:
                    fetch(dataset, go_on, timeout_s=timeout_s)

    worker = threading.Thread(
        target=download, name=lazy_gettext("downloads of set-up"), daemon=True
    )
    worker.start()
    worker.join(MOST_WAIT_S)
    is_given_up.set()
    return [dataset for dataset in asked if dataset.is_here]


def fill_mirror(
    datasets: Iterable[Dataset], folder: Path, progress: Progress | None = None
) -> None:
    """Put the file of every data set that does not ship into a folder, which is then a mirror.

    Raises
    ------
    CatalogError
        If a download fails, or the folder cannot be written.
    """
    for dataset in datasets:
        if dataset.is_shipped:
            continue
        path = fetch(dataset, progress)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / dataset.file)
        except OSError as error:
            raise CatalogError(
                lazy_gettext(
                    "{file} cannot be written to {folder}.", file=dataset.file, folder=folder
                ),
                detail=str(error.strerror),
            ) from None


def cached_path(dataset: Dataset) -> Path:
    """Return where the download of a data set is kept."""
    return user_cache_path("isoflop") / "datasets" / f"{dataset.sha256[:12]}-{dataset.file}"


def is_in_mirror(dataset: Dataset) -> bool:
    """Say whether there is a mirror and it has a data set's file."""
    mirror = os.environ.get(MIRROR_SETTING)
    return (Path(mirror) / dataset.file).is_file() if mirror else False


def _from_mirror(dataset: Dataset, folder: Path) -> Path:
    path = folder / dataset.file
    if not path.is_file():
        raise CatalogError(
            lazy_gettext("The mirror has no file for {title}.", title=dataset.title),
            detail=lazy_gettext(
                "Looked for {file} in the folder of {mirror_setting}.",
                file=dataset.file,
                mirror_setting=MIRROR_SETTING,
            ),
            hint=lazy_gettext(
                "Put the file there, or unset {mirror_setting} to download it.",
                mirror_setting=MIRROR_SETTING,
            ),
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != dataset.sha256:
        raise CatalogError(
            lazy_gettext(
                "The mirror's file for {title} is not the one expected.", title=dataset.title
            ),
            detail=lazy_gettext(
                "SHA-256 of {file}: {digest}…; expected {sha256}….",
                file=dataset.file,
                digest=digest[:16],
                sha256=dataset.sha256[:16],
            ),
            hint=lazy_gettext(
                "Replace it by the file named in the catalog; nothing was read from it."
            ),
        )
    return path


def _stream(url: str, output: str, progress: Progress, text: str, timeout_s: float) -> None:
    """Write what is at a URL to a file; unlike pooch's own, closes the connection on any error."""
    import requests

    with requests.get(url, stream=True, timeout=timeout_s) as response:
        response.raise_for_status()
        total = int(response.headers.get("content-length", 0))
        done = 0
        with Path(output).open("wb") as file:
            for block in response.iter_content(_BLOCK_BYTES):
                file.write(block)
                done += len(block)
                progress(min(done / total, 1.0) if total else 0.0, text)
    progress(1.0, text)


def _download(dataset: Dataset, progress: Progress | None, timeout_s: float) -> Path:
    path = cached_path(dataset)
    # Only a download needs these, and they take as long to import as all the rest.
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    report = progress or (lambda share, text: None)
    text = lazy_gettext("Downloading {title}", title=dataset.title)
    try:
        found = pooch.retrieve(
            url=dataset.url,
            known_hash=f"sha256:{dataset.sha256}",
            fname=path.name,
            path=path.parent,
            downloader=lambda url, output, _: _stream(url, output, report, text, timeout_s),
        )
    except ValueError:
        raise CatalogError(
            lazy_gettext("The download of {title} is not the file expected.", title=dataset.title),
            detail=lazy_gettext(
                "The content of {url} does not have the SHA-256 in the catalog.", url=dataset.url
            ),
            hint=lazy_gettext(
                "It was changed at its source or on the way; nothing was kept. Try again later."
            ),
        ) from None
    except requests.HTTPError as error:
        status = (
            error.response.status_code if error.response is not None else lazy_gettext("an error")
        )
        raise CatalogError(
            lazy_gettext("{title} could not be downloaded.", title=dataset.title),
            detail=lazy_gettext(
                "The server answered {status} for {url}.", status=status, url=dataset.url
            ),
            hint=lazy_gettext("Try again later, or download it elsewhere and upload the file."),
        ) from None
    except (requests.RequestException, OSError) as error:
        raise CatalogError(
            lazy_gettext("{title} could not be downloaded.", title=dataset.title),
            detail=lazy_gettext("{name} for {url}.", name=type(error).__name__, url=dataset.url),
            hint=lazy_gettext(
                "Check the network, or point {mirror_setting} to a folder with the file.",
                mirror_setting=MIRROR_SETTING,
            ),
        ) from None
    return Path(found)
