# crowdgan on a CPU, built in the root of the repository:
#   docker build --file docker/cpu.Dockerfile --tag crowdgan:cpu .
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/data" crowdgan:cpu synth crowds --images 60
FROM python:3.12-slim-bookworm

# g++ compiles the native ops; ffmpeg writes MP4 videos.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ffmpeg g++ \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/crowdgan
COPY constraints.txt ./
RUN pip install --no-cache-dir --constraint constraints.txt --index-url https://download.pytorch.org/whl/cpu torch
COPY packages packages
RUN pip install --no-cache-dir --constraint constraints.txt \
    "./packages/crowdgan-core[cluster,tables]" ./packages/crowdgan-density \
    "./packages/crowdgan-plot[viewer]" "./packages/crowdgan-stylegan3[metrics]"

# A cache that every user can write to: compiled ops and image features. Mount a volume to keep it.
ENV CROWDGAN_CACHE=/cache
RUN mkdir /cache && chmod 1777 /cache
WORKDIR /data
ENTRYPOINT ["crowdgan"]
CMD ["--help"]
