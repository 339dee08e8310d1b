"""Many people at once: real websocket sessions that move sliders, with heavy work beside them."""
