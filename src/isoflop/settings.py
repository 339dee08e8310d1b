"""Every setting of the package and the app: its name, its default and what it does, said once.

Settings are variables of the environment, read when they are needed. ``docs/settings.md`` holds
this list, and a test compares the two.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from isoflop.errors import SettingError
from isoflop.language import LANGUAGES

Section = Literal["files", "people", "switches", "server", "limits", "jobs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One variable of the environment.

    Parameters
    ----------
    name : str
    section : str
        Under which the documentation lists it.
    help : str
        What it does, as Markdown.
    default : str
        The value that it has when it is not set; empty for none.
    default_text : str
        What the documentation says in place of the default.
    choices : tuple of str
        The values that it may have; empty for any.
    """

    name: str
    section: Section
    help: str
    default: str = ""
    default_text: str = ""
    choices: tuple[str, ...] = ()


SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="ISOFLOP_DATABASE_URL",
        section="files",
        default_text="a SQLite file in the user's data folder",
        help="Database of saved documents: `sqlite:///file.sqlite3` or "
        "`postgresql://user:password@host/name` (needs the extra `postgres`).",
    ),
    Setting(
        name="ISOFLOP_DATA_MIRROR",
        section="files",
        help="Folder to take the catalog's files from in place of a download, for a machine "
        "without internet. Each file has the name that its `dataset.toml` gives; its hash is "
        "checked all the same.",
    ),
    Setting(
        name="ISOFLOP_MAX_UPLOAD_MB",
        section="files",
        default="200",
        help="Largest file that is read, compressed or not, in MB (1e6 bytes).",
    ),
    Setting(
        name="ISOFLOP_API_FOLDER",
        section="files",
        default_text="`api` in the user's data folder",
        help="Where tables sent to the [HTTP API](http.md) and results of its jobs lie for an "
        "hour. Replicas share it; a read-only server keeps them in a temporary folder of its own.",
    ),
    Setting(
        name="ISOFLOP_RUNS_FOLDER",
        section="files",
        default_text="`runs` in the user's data folder",
        help="Where live training runs keep configuration, records and checkpoints.",
    ),
    Setting(
        name="ISOFLOP_LANGUAGE",
        section="server",
        default="auto",
        choices=("auto", *LANGUAGES),
        help="Language of the pages until a visitor chooses another: `auto` takes what the "
        "browser asks for.",
    ),
    Setting(
        name="ISOFLOP_IDENTITY",
        section="people",
        default="cookie",
        choices=("cookie", "header", "local"),
        help="Who a visitor is: `cookie`, one person a browser, by a signed cookie; `header`, whom "
        "a proxy names; `local`, everyone is the one person of this machine, as on the command "
        "line. Where Streamlit's login (OpenID Connect) is configured, the login counts instead.",
    ),
    Setting(
        name="ISOFLOP_IDENTITY_HEADER",
        section="people",
        default="X-Forwarded-User",
        help="With `ISOFLOP_IDENTITY=header`, the header in which the proxy names the person. The "
        "proxy must remove it from what a visitor sends.",
    ),
    Setting(
        name="ISOFLOP_PROXY_SECRET",
        section="people",
        help="With `ISOFLOP_IDENTITY=header`, what the proxy must send as `X-Isoflop-Proxy-Secret` "
        "for its header to be believed: 16 characters or more.",
    ),
    Setting(
        name="ISOFLOP_TRUSTED_PROXIES",
        section="people",
        help="With `ISOFLOP_IDENTITY=header`, addresses or networks, by commas, from which the "
        "header is believed, such as `10.0.0.2, 192.168.7.0/24`. This or the secret must be set; "
        "with both, both must hold.",
    ),
    Setting(
        name="ISOFLOP_OWNERS",
        section="people",
        help="Who runs this server, by commas: e-mail addresses, names from the proxy, or the ids "
        "that the page's menu shows. On the command line you are an owner.",
    ),
    Setting(
        name="ISOFLOP_EDITORS",
        section="people",
        default="*",
        help="Who may save, share and train, by commas as for `ISOFLOP_OWNERS`, or `*` for "
        "everyone. All others are viewers: they see what is shared and change nothing.",
    ),
    Setting(
        name="ISOFLOP_TEAMS_CLAIM",
        section="people",
        default="groups",
        help="With a login, the claim of the identity token that lists the person's "
        "[teams](teams.md#teams).",
    ),
    Setting(
        name="ISOFLOP_TEAMS_HEADER",
        section="people",
        help="With `ISOFLOP_IDENTITY=header`, the header in which the proxy lists the person's "
        "[teams](teams.md#teams), by commas, such as `X-Forwarded-Groups`. The proxy must remove "
        "it from what a visitor sends.",
    ),
    Setting(
        name="ISOFLOP_MODEL_API",
        section="switches",
        default="on",
        choices=("on", "off"),
        help="`off` keeps trained models from answering over HTTP.",
    ),
    Setting(
        name="ISOFLOP_READ_ONLY",
        section="switches",
        default="0",
        choices=("0", "1"),
        help="`1`: nothing is stored, nothing is trained, and no model answers over HTTP.",
    ),
    Setting(
        name="ISOFLOP_TRAINING",
        section="switches",
        default="on",
        choices=("on", "owners", "off"),
        help="Who may start live training from a page or over HTTP: every editor, those whom "
        "`ISOFLOP_OWNERS` lists, or nobody. The image and `compose.yaml` begin with `off`.",
    ),
    Setting(
        name="ISOFLOP_UPLOADS",
        section="switches",
        default="on",
        choices=("on", "off"),
        help="`off`: no file, folder or text from outside is taken.",
    ),
    Setting(
        name="ISOFLOP_MAX_JOBS_EACH",
        section="limits",
        default_text="`ISOFLOP_MAX_JOBS` less one, at least 1",
        help="Heavy jobs of a person that run at once, so that others need not wait for their end.",
    ),
    Setting(
        name="ISOFLOP_MAX_RUNS",
        section="limits",
        default="60",
        help="Training runs of a person that may wait or run at once.",
    ),
    Setting(
        name="ISOFLOP_MAX_TRAINING_MINUTES",
        section="limits",
        default="600",
        help="CPU minutes that all runs that a person starts within a day may be estimated to "
        "take together. Runs that are deleted count.",
    ),
    Setting(
        name="ISOFLOP_MAX_STORED_MB",
        section="limits",
        default="500",
        help="What a person, or a team, may store here, in MB: documents, their earlier versions, "
        "uploaded tables in workspaces; and a person's runs with their weights and checkpoints, "
        "and uploaded texts.",
    ),
    Setting(
        name="ISOFLOP_MAX_TEAMS",
        section="limits",
        default="5",
        help="Teams that a person may own, each of which stores as much as a person.",
    ),
    Setting(
        name="ISOFLOP_HOSTS",
        section="server",
        default_text="none besides addresses and this machine's own names",
        help="Names by which people reach the server, by commas: `isoflop.example.org`, "
        "`*.example.org`, or `*` for any. Asked by another name, it refuses: a foreign site could "
        "let its own name lead here.",
    ),
    Setting(
        name="ISOFLOP_API",
        section="server",
        default="on",
        choices=("on", "off"),
        help="`off` switches the [HTTP API](http.md) off, but for what lists what ships.",
    ),
    Setting(
        name="ISOFLOP_API_TOKEN",
        section="server",
        help="Token that programs send as `Authorization: Bearer TOKEN`; several by commas, each "
        "with jobs and tables of its own. Without one the API answers this machine alone.",
    ),
    Setting(
        name="ISOFLOP_EXECUTOR",
        section="jobs",
        default="processes",
        help="Where jobs run: `processes` of this machine; `inline`, where they are asked for; or "
        "`dask://HOST:PORT`, the scheduler of a Dask cluster whose workers have the same version "
        "of Isoflop (needs the extra `dask`).",
    ),
    Setting(
        name="ISOFLOP_MAX_JOBS",
        section="jobs",
        default_text="cores less one, from 1 to 4",
        help="Jobs at once, of all people together; on a cluster, as many as its workers have "
        "threads.",
    ),
    Setting(
        name="ISOFLOP_JOB_DEADLINE_S",
        section="jobs",
        default="600",
        help="Seconds from a job's start after which it is ended.",
    ),
    Setting(
        name="ISOFLOP_JOB_MEMORY_MB",
        section="jobs",
        default="4000",
        help="Memory of a job's process in MB, about 150 of which are the engine; a job that asks "
        "for more is ended. On a cluster, the workers' own limit holds.",
    ),
    Setting(
        name="ISOFLOP_READY_WORKER",
        section="jobs",
        default="on",
        choices=("on", "off"),
        help="Whether a training worker waits for two minutes, PyTorch loaded (about 300 MB), once "
        "somebody who may train opens the Train page, so that the first loss comes sooner after "
        "the click; `off`: workers start at the click.",
    ),
)
"""All settings, in the order of the documentation."""

_BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}


def text(name: str) -> str:
    """Return what a setting is set to, or its default.

    Raises
    ------
    SettingError
        If it is none of its choices.
    """
    setting = _BY_NAME[name]
    given = os.environ.get(name, "").strip() or setting.default
    if setting.choices and given.lower() not in setting.choices:
        raise SettingError(
            f"The setting {name} is {given!r}, which it cannot be.",
            hint=f"Set it to {' or '.join(setting.choices)}, or leave it out.",
        )
    return given.lower() if setting.choices else given


def entries(name: str) -> tuple[str, ...]:
    """Return what a setting lists, parted by commas."""
    return tuple(part.strip() for part in text(name).split(",") if part.strip())


def number(name: str) -> float:
    """Return a setting that is a number.

    Raises
    ------
    SettingError
        If it is not a number above zero.
    """
    given = text(name)
    try:
        value = float(given)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise SettingError(
            f"The setting {name} is {given!r}, which is not a positive number.",
            hint=f"Set it to a number such as {_BY_NAME[name].default}, or leave it out.",
        )
    return value


def is_read_only() -> bool:
    """Say whether nothing is to be stored."""
    return text("ISOFLOP_READ_ONLY") == "1"


def takes_uploads() -> bool:
    """Say whether files from outside are taken."""
    return text("ISOFLOP_UPLOADS") == "on"


def markdown(section: Section) -> list[str]:
    """Return the rows of a section's table in the documentation."""
    return [
        f"| `{setting.name}` | {_default(setting)} | {setting.help} |"
        for setting in SETTINGS
        if setting.section == section
    ]


def _default(setting: Setting) -> str:
    value = setting.default
    if setting.default_text or not value:
        return setting.default_text or "none"
    return value if value.replace(".", "").isdigit() else f"`{value}`"
