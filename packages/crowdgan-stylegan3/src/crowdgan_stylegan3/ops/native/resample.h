// What Python hands over; `library.py` mirrors these structures. Images have neighbouring channels in memory.
#pragma once

#include <cstdint>

constexpr int MAX_TAPS = 64;  // of a filter along one axis; Python checks it

// An image [n, channels, height, width]; strides in floats.
struct Image {
    float* data;
    int64_t n, channels, height, width, stride_n, stride_y, stride_x;
};

// An up- or downsampling: correlation with `taps`, [taps_x] for both axes, or [taps_y][taps_x] if full.
struct Stage {
    const float* taps;
    int64_t taps_x, taps_y, full, identity, mirrored;
    int64_t factor_x, factor_y;
    int64_t pad_x, pad_y;  // before the image; at the upsampled rate
};

enum Point : int64_t { NOTHING = 0, LEAKY_RELU = 1, LEAKY_RELU_DERIVATIVE = 2 };

// out = fall(point(rise(in + bias))), or with LEAKY_RELU_DERIVATIVE
// out = fall(rise(in) · derivative of the leaky ReLU at mask_rise(mask + bias)).
struct Job {
    Image in, out, mask;
    const float* bias;  // [channels], or null
    Stage rise, mask_rise, fall;
    int64_t height, width;  // of the upsampled image between the stages
    int64_t point;
    float above, below, bound;  // slopes of the leaky ReLU, gain included; bound of its absolute value
    int64_t threads;
};

// The part of an image that a tile reads: LANES or fewer channels.
struct View {
    const float* data;
    const float* bias;
    int64_t height, width, stride_y, stride_x;
    int channels;
};
