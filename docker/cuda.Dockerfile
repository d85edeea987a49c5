# crowdgan on NVIDIA GPUs, built in the root of the repository:
#   docker build --file docker/cuda.Dockerfile --tag crowdgan:cuda .
#   docker run --rm --gpus all --shm-size 8g --user "$(id -u):$(id -g)" --volume "$PWD:/data" crowdgan:cuda stylegan3 doctor
# PyTorch brings the CUDA libraries and Triton: neither a CUDA image nor a CUDA toolkit is needed, only the host's driver
# and the NVIDIA Container Toolkit.
FROM python:3.12-slim-bookworm

# Triton compiles its launchers with a C compiler; ffmpeg writes MP4 videos.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ffmpeg g++ \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/crowdgan
COPY constraints.txt ./
RUN pip install --no-cache-dir --constraint constraints.txt torch
COPY packages packages
RUN pip install --no-cache-dir --constraint constraints.txt \
    "./packages/crowdgan-core[cluster,tables]" ./packages/crowdgan-density \
    "./packages/crowdgan-plot[viewer]" "./packages/crowdgan-stylegan3[metrics]"

# A cache that every user can write to: compiled kernels and image features. Mount a volume to keep it.
ENV CROWDGAN_CACHE=/cache TRITON_CACHE_DIR=/cache/triton
RUN mkdir /cache && chmod 1777 /cache
WORKDIR /data
ENTRYPOINT ["crowdgan"]
CMD ["--help"]
