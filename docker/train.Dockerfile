# Trains, evaluates and publishes models, on CPUs and NVIDIA GPUs: PyTorch brings CUDA with it.
#   docker build -f docker/train.Dockerfile -t slimdial-train .
#   docker run --rm --gpus all --ipc host --user "$(id -u):$(id -g)" -v "$PWD:/work" \
#     slimdial-train --help
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS python
# tini is process 1: it hands signals on, and reaps what data loaders leave.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*

FROM python AS build
ARG UV=0.13.9
RUN python3 -m venv /opt/uv \
    && /opt/uv/bin/pip install --no-cache-dir --disable-pip-version-check "uv==${UV}"
ENV PATH=/opt/uv/bin:$PATH \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
RUN uv venv --python "$(command -v python3)" /opt/slimdial
WORKDIR /src
# The dependencies first: they change less often than the sources, and stay cached.
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
RUN uv pip install --python /opt/slimdial --constraints constraints.txt \
    --requirements pyproject.toml --extra train
COPY service service
COPY model_store model_store
COPY training training
RUN uv pip install --python /opt/slimdial --no-deps .

FROM python
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="slimdial-train" \
      org.opencontainers.image.description="Trains the networks that slimdial serves" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN groupadd --gid 10001 slimdial \
    && useradd --uid 10001 --gid 10001 --no-log-init --home-dir /tmp slimdial \
    && install --directory --owner 10001 --group 10001 /work
COPY --from=build /opt/slimdial /opt/slimdial
# What libraries keep at home goes to /tmp: with --user there is no home.
ENV PATH=/opt/slimdial/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib
USER 10001:10001
WORKDIR /work
ENTRYPOINT ["tini", "--", "slimdial-train"]
CMD ["--help"]
