# MinIO and its client from their source, at the versions that the tests run on (tests/pins): upstream
# is archived, and its last images lack the last security fixes.

# The image whose `minio` runs: the stage below, or another one with the program on its path.
ARG MINIO_IMAGE=built

FROM golang:1.26-trixie AS compile
ENV CGO_ENABLED=0 GOBIN=/out GOFLAGS=-trimpath
RUN install -d -o 10005 -g 10005 /data

FROM compile AS minio
ARG MINIO_VERSION=v0.0.0-20260212201848-7aac2a2c5b7c
RUN go install "github.com/minio/minio@${MINIO_VERSION}"

FROM compile AS mc
ARG MC_VERSION=v0.0.0-20250313080218-cf909e1063a9
RUN go install "github.com/minio/mc@${MC_VERSION}"

FROM debian:trixie-slim AS built
COPY --from=minio /out/minio /usr/local/bin/

# hadolint ignore=DL3006
FROM ${MINIO_IMAGE}
COPY --from=mc /out/mc /usr/local/bin/
# A new named volume takes over its owner.
COPY --from=compile --chown=10005:10005 /data /data
USER 10005:10005
ENTRYPOINT []
CMD ["minio", "server", "/data"]
