# Pico's image: nodes and agents, with the modules of the hot path compiled. See docs/howto/containers.md.
#
#   docker build -t pico .        (or: make image)
#
# Stopping: SIGTERM drains the node. Whoever stops the container must wait for more than drain_delay and grace_period
# together (0 and 1 minute by default) before it kills; Docker waits 10 seconds unless it is told otherwise:
# `docker stop --time 75`, `stop_grace_period: 75s` in Compose, `terminationGracePeriodSeconds: 75` in Kubernetes.
#
# All Python packages are locked with their hashes (`make lock`). For a base that cannot change either, name it by its
# digest: --build-arg BASE=python:3.11-slim-bookworm@sha256:…

ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build

# The compiler's version does not matter to what it makes, and Debian keeps only the newest one.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /src

# First what changes seldom, so that a change of Pico alone builds quickly.
COPY etc/docker/requirements.txt etc/docker/build-requirements.txt ./locked/
RUN python3 -m venv /opt/pico \
    && /opt/pico/bin/pip install --require-hashes --only-binary :all: -r locked/requirements.txt
RUN python3 -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes --only-binary :all: \
        -r locked/requirements.txt -r locked/build-requirements.txt

COPY LICENSE README.md pyproject.toml setup.cfg setup.py ./
COPY pico ./pico
COPY twisted ./twisted
RUN PICO_COMPILE=1 /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist .

# The list of Twisted's plugins is written while somebody may write it. pip has done its work then.
RUN /opt/pico/bin/pip install --no-deps --no-index --find-links /dist pico-proxy \
    && /opt/pico/bin/python -c "from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))" \
    && /opt/pico/bin/pip uninstall -y setuptools pip


FROM ${BASE}

# A number, so that Kubernetes can see that it is not root (runAsNonRoot).
RUN groupadd --gid 10001 pico \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin pico

COPY --from=build /opt/pico /opt/pico

# Nothing is written to the file system, which may be read-only.
ENV PATH=/opt/pico/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

USER 10001:10001

# Clients, agents, operators; other nodes over both.
EXPOSE 8000 8001 8002 8003 8003/udp

STOPSIGNAL SIGTERM

# A node that drains is still well. For an agent: pico health --server.url http://localhost:5000, with --server.enabled.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["pico", "health"]

ENTRYPOINT ["pico"]
CMD ["server"]
