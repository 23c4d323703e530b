# The depth service: relative inverse depth. Without weights it stays up and says NOT_SERVING; the pipeline degrades.
# Context: the repository's root. docker build -f deploy/docker/depth.Dockerfile -t unflat-depth:VERSION .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
COPY deploy/docker/build.lock ./
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r build.lock
# CPU libraries, or with CUDA: --build-arg LOCK=depth-cuda.
ARG LOCK=depth
# With --build-arg TRACING=yes also what sends traces (UNFLAT_OTLP_ENDPOINT).
ARG TRACING=
COPY requirements/${LOCK}.lock requirements/tracing.lock ./
RUN python -m venv --without-pip /opt/unflat \
    && pip --python /opt/unflat/bin/python install --no-cache-dir --require-hashes --only-binary :all: \
       -r ${LOCK}.lock ${TRACING:+-r tracing.lock}
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY gen/unflat ./gen/unflat
COPY services ./services
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/unflat/bin/python install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="unflat-depth" org.opencontainers.image.licenses="Apache-2.0"
# /models belongs to the user, so that a new named volume mounted there can be filled by `unflat models pull`.
RUN groupadd --gid 10001 unflat \
    && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin unflat \
    && install -d -o 10001 -g 10001 /models
COPY --from=build /opt/unflat /opt/unflat
# With the CUDA lock ONNX Runtime finds NVIDIA's libraries here, where their wheels put them; else these are not there.
ENV PATH=/opt/unflat/bin:$PATH \
    LD_LIBRARY_PATH=/opt/unflat/lib/python3.11/site-packages/nvidia/cu13/lib:/opt/unflat/lib/python3.11/site-packages/nvidia/cudnn/lib \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    XDG_CACHE_HOME=/tmp/.cache \
    UNFLAT_MODELS=/models \
    UNFLAT_HOST=0.0.0.0 \
    UNFLAT_PORT=50052 \
    UNFLAT_HEALTH_PORT=8081 \
    UNFLAT_METRICS_PORT=9090
EXPOSE 50052 8081 9090
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["unflat-depth"]
