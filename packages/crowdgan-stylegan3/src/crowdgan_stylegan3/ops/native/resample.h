// The interface to Python; `library.py` mirrors these structures. Images are channels last in memory.
#pragma once

#include <cstdint>

constexpr int MAX_TAPS = 64;  // of a filter along one axis; Python checks it

// An image [n, channels, height, width]; strides in floats.
struct Image {
    float* data;
    int64_t n, channels, height, width, stride_n, stride_y, stride_x;
};

// An up- or downsampling: correlation with `taps`, [taps_x] for both axes, or [taps_y][taps_x] if `full`.
struct Stage {
    const float* taps;
    int64_t taps_x, taps_y, full, identity, mirrored;
    int64_t factor_x, factor_y;
    int64_t pad_x, pad_y;  // zeros before the image, at the upsampled rate
};

enum ActivationKind : int64_t { IDENTITY = 0, LEAKY_RELU = 1, LEAKY_RELU_DERIVATIVE = 2 };

// out = downsampling(activation(upsampling(in + bias))), or with LEAKY_RELU_DERIVATIVE
// out = downsampling(upsampling(in) · derivative of the leaky ReLU at mask_upsampling(mask + bias)).
struct Job {
    Image in, out, mask;
    const float* bias;  // [channels], or null
    Stage upsampling, mask_upsampling, downsampling;
    int64_t height, width;  // of the upsampled image between the stages
    int64_t activation;
    float above, below, bound;  // slopes of the leaky ReLU, gain included; bound of the absolute value
    int64_t threads;
};

// The channels of an image that a tile reads: LANES or fewer.
struct TileInput {
    const float* data;
    const float* bias;
    int64_t height, width, stride_y, stride_x;
    int channels;
};
