# mediad and mediactl on Debian 12. docs/packaging.md says how to build and run it; `./dev package --image` does both, and tries it.
# `--build-arg VIDEO=OFF`: without FFmpeg. Videos are kept then, and have no pictures; the image is half as large.
ARG VIDEO=ON

FROM debian:bookworm-slim AS build
ARG VIDEO
COPY packaging/install-packages.sh /src/packaging/
COPY packaging/deps /src/packaging/deps
RUN /src/packaging/install-packages.sh build
COPY . /src
RUN cmake -S /src -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release -DMEDIA_BUILD_TESTS=OFF -DMEDIA_BOTH_LIBRARIES=OFF -DMEDIA_WITH_VIDEO="$VIDEO" \
    && cmake --build /build \
    && for component in runtime $(test "$VIDEO" = OFF || echo video) tools server; do \
         DESTDIR=/out cmake --install /build --prefix /usr/local --component "$component" --strip || exit 1; \
       done

FROM debian:bookworm-slim AS runtime
ARG VIDEO
COPY packaging/install-packages.sh /tmp/packaging/
COPY packaging/deps /tmp/packaging/deps
RUN /tmp/packaging/install-packages.sh runtime $(test "$VIDEO" = OFF || echo runtime-video) \
    && rm -rf /tmp/packaging /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
    && groupadd --gid 10001 media \
    && useradd --uid 10001 --gid media --no-create-home --home-dir /app --shell /usr/sbin/nologin media \
    && mkdir -p /app/media && chown media:media /app/media
COPY --from=build /out/usr/local /usr/local

# A stage of its own, for it needs a script that the image does not.
FROM runtime AS bill
COPY packaging/image/sbom.sh /tmp/
RUN /tmp/sbom.sh "$(mediad --version | sed 's/.* //')" >/tmp/sbom.cdx.json

FROM runtime
COPY --from=bill /tmp/sbom.cdx.json /usr/local/share/libmedia/
USER media
WORKDIR /app
ENV RUN_MODE=production
VOLUME /app/media
EXPOSE 3000
# Readiness, by the program itself: there is no other client in the image. Engines only show it; where something restarts what is unhealthy
# (Docker Swarm), --healthcheck=live is the one to take there, for an outage of the database is not mended by restarts.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["/usr/local/bin/mediad", "--healthcheck"]
STOPSIGNAL SIGTERM
# Production wants to be told about authentication; see docs/configuration.md.
ENTRYPOINT ["/usr/local/bin/mediad"]
