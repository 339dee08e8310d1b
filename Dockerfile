# The app as a container: docker build --tag isoflop . && docker run --rm -p 127.0.0.1:8501:8501 isoflop

FROM python:3.11-slim-bookworm AS build
# Another package index for PyTorch, such as the one with its CPU builds (several GB smaller).
ARG TORCH_INDEX=""
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app
RUN python -m venv /opt/venv
COPY requirements.txt ./
# The package itself comes later: a change in it leaves this layer, the long one, as it is.
RUN grep -v '^-e ' requirements.txt > pinned.txt \
    && pip install --no-cache-dir --disable-pip-version-check \
       ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} --requirement pinned.txt \
    && rm pinned.txt
COPY . .
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --editable . \
    && python -m compileall -q src pages

FROM python:3.11-slim-bookworm
# Saved documents, downloads and caches go to /data, the one folder that has to be writable.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/data \
    STREAMLIT_BROWSER_SERVER_ADDRESS=localhost \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501 \
    STREAMLIT_SERVER_HEADLESS=true
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
RUN install --directory --owner=10001 --group=10001 /data
USER 10001:10001
# The small tables that the app opens with best; without a network it opens with what ships.
RUN isoflop datasets --fetch
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['STREAMLIT_SERVER_PORT'] + '/_stcore/health', timeout=3)"]
CMD ["streamlit", "run", "app.py"]
