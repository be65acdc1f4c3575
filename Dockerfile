# Smarthost in Debian 12: its Python, its authorities, and the virtual environment that deploy/venv
# makes. It runs as an ordinary user and writes to its two volumes alone, so the root file system
# may be read-only. How to run it: compose.yaml and docs/deployment.md.

FROM debian:bookworm-slim AS python
# No versions: a new build is to bring the security updates of its day.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/*


FROM python AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY deploy/venv deploy/
COPY requirements/run.txt requirements/
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN deploy/venv /opt/smarthost


FROM python
LABEL org.opencontainers.image.title="Smarthost" \
    org.opencontainers.image.description="Keeps each portal's SMTP settings, proves them, and sends its mail" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="0.1.0"

# A number that no ordinary account has: volumes keep it, and files from outside are given to it.
RUN useradd --no-log-init --uid 10001 --user-group --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin smarthost \
    && install --directory --owner=smarthost --group=smarthost --mode=0700 \
        /var/lib/smarthost /var/lib/smarthost-keyring

COPY --from=build /opt/smarthost /opt/smarthost
COPY deploy/docker/healthcheck.py /opt/smarthost/

# SQLite's temporary files can become large, as when a new version makes an index: they belong where
# there is room.
ENV PATH=/opt/smarthost/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    SQLITE_TMPDIR=/var/lib/smarthost \
    SMARTHOST_DATA_DIR=/var/lib/smarthost \
    SMARTHOST_KEYRING_FILE=/var/lib/smarthost-keyring/keyring.json \
    SMARTHOST_HTTP_LISTEN=0.0.0.0:8025 \
    SMARTHOST_SUBMISSION_LISTEN=0.0.0.0:2525

# The key ring has a volume of its own: a back-up that holds both can open every password.
VOLUME ["/var/lib/smarthost", "/var/lib/smarthost-keyring"]
EXPOSE 8025 2525

# A smarthost.toml that is put here is read.
WORKDIR /etc/smarthost
# Numbers, for platforms that want to see that it is not root.
USER 10001:10001

STOPSIGNAL SIGTERM
# A large store takes its time at the first start of a new version.
HEALTHCHECK --interval=30s --timeout=5s --start-period=5m --retries=3 \
    CMD ["python3", "/opt/smarthost/healthcheck.py"]
ENTRYPOINT ["smarthost"]
CMD ["serve"]
