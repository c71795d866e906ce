# syntax=docker/dockerfile:1
# check=error=true

# Built on the machine's own platform for whichever is asked for: docker buildx build --platform linux/amd64,linux/arm64 .
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY cmd cmd
COPY pkg pkg
# Static, so that an image without anything else in it runs it; without paths, so that everybody builds the same.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags='-s -w' -o /out/ ./cmd/...

# Certificates of authorities, time zones and a user without rights; no shell.
FROM gcr.io/distroless/static-debian12:nonroot
ARG VERSION=dev
LABEL org.opencontainers.image.title="Firebreak" \
      org.opencontainers.image.description="Keeps production and non-production apart" \
      org.opencontainers.image.source="https://github.com/firebreak-dev/firebreak" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /out/firebreak /firebreak
# The page of ui.enabled is served by the other one, in Pods of its own.
COPY --from=build /out/kubectl-firebreak /kubectl-firebreak
USER 65532:65532
ENTRYPOINT ["/firebreak"]
CMD ["serve"]
