"""The bare page that a redraw is compared with: one slider, one chart like the front page's.

The chart is as Plotly draws it by itself, with nothing done for speed but leaving out validation.
"""

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from isoflop.plot import theme

shift = st.slider("Days", 1, 100, 30)
x = np.geomspace(1e18, 1e24, 200)
loss = 1.8 + 2.0 * (x / 1e18 / shift) ** -0.1
rows = np.geomspace(1e18, 1e22, 8)
band = {"fill": "toself", "mode": "lines", "line": {"width": 0}, "fillcolor": theme.BAND}
traces = [
    {
        "x": np.concatenate([x, x[::-1]]),
        "y": np.concatenate([loss + 0.05, (loss - 0.05)[::-1]]),
        "name": "90% band",
        **band,
    },
    {"x": x, "y": loss, "mode": "lines", "name": "Fitted law"},
    *(
        {
            "x": rows,
            "y": 1.85 + 2.0 * (rows / 1e18) ** -0.1,
            "mode": "markers",
            "name": name,
            "text": ["row"] * len(rows),
        }
        for name in ("first", "second")
    ),
    {"x": [1e23], "y": [2.2], "mode": "markers", "name": "You are here", "text": ["You are here"]},
]
layout = {
    "template": theme.LIGHT.template,
    "height": 410,
    "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
    "legend": {"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0},
    "xaxis": {"title": {"text": "Compute"}, "type": "log", "exponentformat": "power", "dtick": 1},
    "yaxis": {"title": {"text": "Loss"}, "type": "log"},
}
data = [{"type": "scatter", **trace} for trace in traces]
figure = go.Figure(data=data, layout=layout, _validate=False)
st.plotly_chart(figure, key="chart", alt="A curve with its band.")
