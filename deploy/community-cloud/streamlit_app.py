"""The app where Streamlit hosts it: as a demo that keeps nothing and trains nothing.

The platform installs the ``requirements.txt`` beside this file, without PyTorch, and not Isoflop.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

import streamlit as st

DEMO = {
    "ISOFLOP_HOSTS": "*.streamlit.app",
    "ISOFLOP_READ_ONLY": "1",
    "ISOFLOP_TRAINING": "off",
    "ISOFLOP_MAX_JOBS": "1",
    "ISOFLOP_JOB_MEMORY_MB": "800",
}
for name, value in DEMO.items():
    os.environ.setdefault(name, value)
source = str(Path(__file__).resolve().parents[2] / "src")
sys.path.insert(0, source)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))

server = import_module("isoflop.ui.server")
app = st.App(server.MAIN_SCRIPT, **server.OPTIONS)
