# The pipeline and the service with its page, for one processor architecture, without CUDA.
# compose.yaml starts it as web server, daemon and service.

FROM node:22-slim AS page
WORKDIR /build/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web/ ./
RUN npm run build


FROM python:3.11-slim AS packages
# Another index gives another build of torch, with CUDA for instance.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv --without-pip /opt/crossrec
# Further parts of the package, by comma: what a cluster or an object store needs, for instance.
ARG EXTRAS=
WORKDIR /build
COPY constraints.txt ./
# What torch needs comes from the usual index, with everything else.
RUN pip --python /opt/crossrec/bin/python install --constraint constraints.txt \
    --index-url "$TORCH_INDEX" --no-deps torch
COPY pyproject.toml README.md LICENSE ./
COPY crossrec_pipeline crossrec_pipeline
COPY --from=page /build/crossrec_pipeline/serving/page crossrec_pipeline/serving/page
RUN pip --python /opt/crossrec/bin/python install --constraint constraints.txt \
    ".${EXTRAS:+[$EXTRAS]}"


FROM python:3.11-slim
LABEL org.opencontainers.image.title="crossrec-pipeline" \
      org.opencontainers.image.description="Session-based, cross-domain recommendations as a Dagster pipeline and a service" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
# LightGBM needs OpenMP. Debian keeps one version of it in a release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 crossrec \
    && useradd --uid 10001 --gid crossrec --no-create-home --home-dir /cache crossrec \
    && install -d -o crossrec -g crossrec /data /dagster_home /cache
COPY --from=packages /opt/crossrec /opt/crossrec
# What an installed package reads from the directory it is started in.
WORKDIR /app
COPY workspace.yaml ./
COPY dagster_home/dagster.yaml dagster_home/
COPY data/sample data/sample
ENV PATH=/opt/crossrec/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONWARNINGS=ignore::DeprecationWarning \
    CROSSREC_DATA_DIR=/data \
    DAGSTER_HOME=/dagster_home \
    NUMBA_CACHE_DIR=/cache/numba \
    HF_HOME=/cache/huggingface
VOLUME ["/data", "/dagster_home", "/cache"]
USER 10001:10001
EXPOSE 8000 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["crossrec", "serve", "--host", "0.0.0.0", "--port", "8000"]
