# One image, a process by its command: serve, worker, migrate, or `python -m signer`.
# See docker-compose.yml, which runs them; `treasurer up` needs none of this.

FROM python:3.11-slim-bookworm AS environment
WORKDIR /build
COPY requirements-base.lock ./
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --no-compile --no-deps --require-hashes -r requirements-base.lock

# The build backend comes from the development lock, so that nothing is fetched without its hash.
FROM python:3.11-slim-bookworm AS wheel
WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/tools \
 && /opt/tools/bin/pip install --no-cache-dir --no-compile --no-deps --require-hashes -r requirements.lock
COPY . .
RUN /opt/tools/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheel .

FROM environment AS installed
COPY --from=wheel /wheel /wheel
# Compiled here: the accounts below may not write byte code, and every start would compile for seconds.
# By hashes that nobody checks again, since a copied layer need not keep the files' times. What does not
# compile are templates that packages ship.
RUN /opt/venv/bin/pip install --no-cache-dir --no-compile --no-deps /wheel/*.whl \
 && (/opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib > /dev/null || true)

FROM python:3.11-slim-bookworm
# Three accounts: what serves and works, what holds the keys, and the group that may use its socket.
RUN groupadd --gid 10001 treasurer && useradd --uid 10001 --gid 10001 --no-create-home treasurer \
 && groupadd --gid 10002 signer && useradd --uid 10002 --gid 10002 --no-create-home signer \
 && groupadd --gid 10003 signer-socket \
 && install -d -m 0700 -o 10001 -g 10001 /var/lib/treasurer /var/lib/treasurer/signer \
 && install -d -m 0700 -o 10002 -g 10002 /var/lib/signer \
 && install -d -m 0750 -o 10002 -g 10003 /run/signer
COPY --from=installed /opt/venv /opt/venv
COPY deploy/with-secrets /usr/local/bin/with-secrets
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TREASURER_HOME=/var/lib/treasurer \
    TREASURER_HOST=0.0.0.0
WORKDIR /var/lib/treasurer
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["with-secrets"]
CMD ["treasurer", "serve"]
