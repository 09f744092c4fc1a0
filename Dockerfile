# The proxy in a container. io_uring needs a seccomp profile that allows it and memory to lock:
# see docker-compose.clawsec.yml, or
#   docker run --security-opt seccomp=deploy/seccomp.json --ulimit memlock=-1 -p 127.0.0.1:8888:8888 \
#       -e CLAWSEC_ALLOW_UNAUTHENTICATED=true clawsec

FROM rust:1.95-slim-bookworm AS build
# git: glommio's build script asks it for its liburing. libhyperscan-dev: the static library, x86-64 only.
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ git libhyperscan-dev make pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY Cargo.toml Cargo.lock build.rs README.md ./
COPY .cargo .cargo
COPY src src
COPY benches benches
RUN cargo build --release --locked --bin clawsec

FROM debian:bookworm-slim
# ca-certificates: the roots that origins are verified with. libstdc++6: Hyperscan's only need.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libstdc++6 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin clawsec \
    && install -d -m 0700 -o clawsec -g clawsec /tmp/clawsec
COPY --from=build /build/target/release/clawsec /usr/local/bin/clawsec
USER clawsec
# The container's own loopback would be out of reach; publish the port on the host's loopback only.
ENV CLAWSEC_PROXY_HOST=0.0.0.0
# So whoever runs it says who may use it: CLAWSEC_PROXY_AUTH, or CLAWSEC_ALLOW_UNAUTHENTICATED=true.
# There is no agent's gateway inside the container to pass on to.
ENV CLAWSEC_ENABLE_GATEWAY_PROXY=false
VOLUME /tmp/clawsec
EXPOSE 8888
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s CMD ["clawsec", "healthcheck"]
ENTRYPOINT ["clawsec"]
CMD ["start"]
