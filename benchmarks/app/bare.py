"""The bare page that a redraw is compared with: one slider, one chart like the front page's."""

import numpy as np
import streamlit as st

from isoflop.plot import theme
from isoflop.plot._figure import assemble

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
layout = {"xaxis": theme.axis("Compute", is_power=True, span=x), "yaxis": theme.axis("Loss")}
figure = assemble(
    [{"type": "scatter", **trace} for trace in traces],
    theme=theme.APP,
    height_px=410,
    layout=layout,
    alt="A curve with its band.",
)
st.plotly_chart(figure, key="chart")
