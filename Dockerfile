# The app as a container: docker build --tag isoflop . && docker run --rm -p 127.0.0.1:8501:8501 isoflop
# Build arguments, how to pin the base image by its digest among them: docs/settings.md, "Containers".
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
# Nothing: no PyTorch, and no live training. "default": that of pip's own index, which on x86-64 brings
# CUDA, several GB. An address: the index that has PyTorch's CPU builds.
ARG TORCH_INDEX=""
ENV PATH=/opt/venv/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_COMPILE=1
WORKDIR /app
COPY locks locks
# The package itself comes later: a change in it leaves this layer, the long one, as it is.
RUN python -m venv /opt/venv \
    && pip install --target /opt/backend --require-hashes --requirement locks/backend.txt \
    && pip install --require-hashes --requirement locks/app.txt \
    && case "$TORCH_INDEX" in \
        "") ;; \
        default) pip install --require-hashes --requirement locks/train.txt ;; \
        *) pip install --require-hashes --requirement locks/train-cpu.txt --extra-index-url "$TORCH_INDEX" ;; \
    esac
# Tests, headers, tools, notebook widgets and clients of services in libraries: nothing here calls them.
# hadolint ignore=DL3003
RUN cd /opt/venv/lib/python3*/site-packages \
    && find . -type d -name tests -not -path './numpy/*' -prune -exec rm -r {} + \
    && rm -rf plotly/labextension plotly/package_data/widgetbundle.js pydeck/nbextension \
        pyarrow/include pyarrow/*_flight* pyarrow/*_s3* torch/include torch/test \
    && find . -path './torch/bin/*' -not -name torch_shm_manager -delete
COPY . .
RUN PYTHONPATH=/opt/backend pip install --no-deps --no-build-isolation --no-index --editable . \
    && pip uninstall --yes pip \
    && python -m compileall -q src pages \
    # Bytecode of what the app, a fit and a run import, and of nothing else: half as much.
    && isoflop fit pile-cerebras-pythia >/dev/null \
    && { timeout 30 streamlit run app.py --server.headless=true >/dev/null 2>&1 || true; } \
    && { python -c "import torch; torch.optim.AdamW([torch.zeros(1, requires_grad=True)])" 2>/dev/null || true; }

FROM ${BASE}
# "1": a browser without a window, which prints reports as PDF and draws figures as files.
ARG BROWSER=""
# hadolint ignore=DL3008
RUN if [ -n "$BROWSER" ]; then \
        apt-get update \
        && apt-get install --yes --no-install-recommends chromium-headless-shell fonts-dejavu-core fonts-dejavu-extra \
            fonts-wqy-microhei \
        # With it come drivers of graphics cards, their compiler and a checker of calls: it draws without.
        && rm -rf /var/cache/apt /var/lib/apt/lists/* /usr/lib/*/dri /usr/lib/*/libLLVM-* \
            /usr/lib/chromium/libVkLayer_khronos_validation.so; \
    fi
# Saved documents, downloads and caches go to /data, the one folder that has to be writable. A demo
# starts safe: whoever opens it trains nothing, unless --env ISOFLOP_TRAINING=on.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    BROWSER_PATH=/usr/bin/chromium-headless-shell \
    HOME=/data \
    ISOFLOP_TRAINING=off \
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
