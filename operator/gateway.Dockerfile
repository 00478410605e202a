# The HTTP API with the web page; neither torch nor kopf in it. Build context: the repository's root.
#   docker build -f operator/gateway.Dockerfile -t ghcr.io/trainingjob/gateway:0.2.0 .
# deploy/release/image.sh builds it in a way that gives the same digest again.
ARG BASE=python:3.11-slim

FROM ${BASE} AS packages
# The compiler's order of constants is that of hashes.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
COPY requirements/gateway.txt /requirements.txt
# Every file is checked against the hashes of the lock.
RUN python -m pip install --no-cache-dir --disable-pip-version-check --no-compile --require-hashes \
    --target /app -r /requirements.txt
# Of plotly only its JavaScript is served.
RUN find /app/plotly /app/narwhals -type f ! -name plotly.min.js -delete \
    && find /app/plotly /app/narwhals -type d -empty -delete && touch /app/plotly/__init__.py
COPY crds/trainingjob_api /app/trainingjob_api
COPY operator/trainingjob_client /app/trainingjob_client
COPY operator/training_gateway /app/training_gateway
# Valid whenever a file was written, and never looked into again: the root file system is read-only.
RUN python -m compileall -q --invalidation-mode unchecked-hash /app

FROM ${BASE}
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="TrainingJob gateway" \
      org.opencontainers.image.description="HTTP API and web page over TrainingJobs" \
      org.opencontainers.image.source="https://github.com/trainingjob/trainingjob" \
      org.opencontainers.image.documentation="https://github.com/trainingjob/trainingjob/blob/main/docs/http-api.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/app
COPY --from=packages /app /app
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["python", "-m", "training_gateway"]
