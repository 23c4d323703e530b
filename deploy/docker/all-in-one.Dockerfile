# All of unflat in one container, for one machine: `docker run -p 7000:7000 unflat` answers where `rembg s` did.
# Context: the repository's root. docker build -f deploy/docker/all-in-one.Dockerfile -t unflat:VERSION .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG NODE_IMAGE=node:20-bookworm-slim

# The page's 3D viewer: three.js from npm in one file; node itself stays in this stage.
FROM ${NODE_IMAGE} AS web
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY services/gateway/page/three.entry.js ./services/gateway/page/
RUN npm run --silent web

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
COPY deploy/docker/build.lock ./
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r build.lock
# Another set of libraries is another lock: --build-arg LOCK=NAME takes requirements/NAME.lock.
ARG LOCK=light
# With --build-arg TRACING=yes also what sends traces (UNFLAT_OTLP_ENDPOINT).
ARG TRACING=
COPY requirements/${LOCK}.lock requirements/tracing.lock ./
RUN python -m venv --without-pip /opt/unflat \
    && pip --python /opt/unflat/bin/python install --no-cache-dir --require-hashes --only-binary :all: \
       -r ${LOCK}.lock ${TRACING:+-r tracing.lock}
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY gen/unflat ./gen/unflat
COPY services ./services
COPY --from=web /build/services/gateway/page/vendor ./services/gateway/page/vendor
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/unflat/bin/python install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="unflat" org.opencontainers.image.licenses="Apache-2.0"
# /models belongs to the user, so that a new named volume mounted there can be filled by `unflat models pull`.
RUN groupadd --gid 10001 unflat \
    && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin unflat \
    && install -d -o 10001 -g 10001 /models
COPY --from=build /opt/unflat /opt/unflat
# No UNFLAT_PORT and the like here: the processes inside share this environment and choose free ports themselves.
ENV PATH=/opt/unflat/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    XDG_CACHE_HOME=/tmp/.cache \
    UNFLAT_MODELS=/models
EXPOSE 7000 50050
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["unflat"]
CMD ["up", "--host", "0.0.0.0", "--http-port", "7000"]
