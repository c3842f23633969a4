# syntax=docker/dockerfile:1
# One image for every role: `docker run precompute streams`, `worker`, `api`, `topics create`.
# Pin the base by digest where your policy asks for it: --build-arg PYTHON_IMAGE=python@sha256:...
ARG PYTHON_IMAGE=python:3.11.15-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/precompute
ENV PATH=/opt/precompute/bin:$PATH
WORKDIR /src
# The requirements alone first: a change of the code does not install them again.
COPY requirements/runtime.txt requirements/runtime.txt
RUN pip install --require-hashes --only-binary :all: -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE precompute.py ./
COPY streams streams
COPY handlers handlers
COPY predictor predictor
# Whoever runs the image installs nothing into it.
RUN pip install --no-deps --no-build-isolation . \
    && pip uninstall --yes hatchling editables \
    && pip uninstall --yes pip setuptools

FROM ${PYTHON_IMAGE} AS runtime
LABEL org.opencontainers.image.title="precompute" \
      org.opencontainers.image.description="Answers that exist before anyone asks." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 precompute \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin precompute \
    && install --directory --owner 10001 --group 10001 --mode 0750 \
       /var/lib/precompute /var/lib/precompute/data /var/lib/precompute/artifacts \
       /var/lib/precompute/scratch
COPY --from=build /opt/precompute /opt/precompute
# The root may be read-only: what is written goes to /var/lib/precompute and /tmp.
ENV PATH=/opt/precompute/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    PRECOMPUTE_DATA_DIR=/var/lib/precompute/data \
    PRECOMPUTE_ARTIFACT_DIR=/var/lib/precompute/artifacts \
    PRECOMPUTE_METRICS_HOST=0.0.0.0 \
    PRECOMPUTE_METRICS_PORT=9464
WORKDIR /var/lib/precompute
USER 10001:10001
EXPOSE 8003 9464
STOPSIGNAL SIGTERM
# Every role answers on its metrics port; a role whose event loop is stuck does not pass.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", "\
import os, urllib.request; \
urllib.request.urlopen('http://127.0.0.1:' + os.environ['PRECOMPUTE_METRICS_PORT'] + '/livez', timeout=4)"]
ENTRYPOINT ["precompute"]
CMD ["--help"]
