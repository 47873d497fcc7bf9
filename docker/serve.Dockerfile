# Serves published models over HTTP; no torch.
#   docker build -f docker/serve.Dockerfile -t slimdial .
# For NVIDIA GPUs, on CUDA 13 and cuDNN 9:
#   docker build -f docker/serve.Dockerfile -t slimdial:cuda \
#     --build-arg BASE=docker.io/nvidia/cuda:13.0.2-cudnn-runtime-ubuntu24.04 \
#     --build-arg ONNXRUNTIME=onnxruntime-gpu .
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS python
# tini is process 1: it hands signals on, also to a service that is still starting, and reaps what
# workers leave. CUDA images come without Python.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
        $(command -v python3 >/dev/null || echo python3) \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*

FROM python AS build
RUN python3 -c 'import ensurepip' 2>/dev/null || { apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv ca-certificates; }
# uv leaves pip out of the environment that is served from, and can replace a dependency.
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
# The GPU build of ONNX Runtime is several times as large as the other, and useless without CUDA.
ARG ONNXRUNTIME=onnxruntime
RUN touch replaced.txt \
    && if [ "${ONNXRUNTIME}" != onnxruntime-gpu ]; then \
        echo "onnxruntime-gpu ; python_version < '3'" >replaced.txt; fi \
    && uv pip install --python /opt/slimdial --constraints constraints.txt \
        --overrides replaced.txt --requirements pyproject.toml "${ONNXRUNTIME}"
COPY service service
COPY model_store model_store
COPY training training
RUN uv pip install --python /opt/slimdial --no-deps .

FROM python
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="slimdial" \
      org.opencontainers.image.description="Multi-task vision networks whose cost and task priorities are dialled after training" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN groupadd --gid 10001 slimdial \
    && useradd --uid 10001 --gid 10001 --no-log-init --home-dir /var/lib/slimdial slimdial \
    && install --directory --mode 0700 --owner 10001 --group 10001 /var/lib/slimdial
COPY --from=build /opt/slimdial /opt/slimdial
ENV PATH=/opt/slimdial/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SLIMDIAL_HOST=0.0.0.0 \
    SLIMDIAL_PORT=8000 \
    SLIMDIAL_DATA_DIR=/var/lib/slimdial \
    SLIMDIAL_LOG_FORMAT=json
# Numeric, so that Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /var/lib/slimdial
# All that is written lies here and in /tmp: the rest may be read-only.
VOLUME /var/lib/slimdial
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python3", "-m", "service.healthcheck"]
ENTRYPOINT ["tini", "--"]
CMD ["slimdial", "serve"]
