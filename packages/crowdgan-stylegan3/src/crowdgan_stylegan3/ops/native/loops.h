// The inner loops: weighted sums of pixels along a row, across rows, and over windows.
//
// Each is a template over the factor and the number of taps. If both are known at compile time, the sums of several
// outputs stay in registers, and a pixel is loaded once for all of them; 0 stands for values known only at run time.
#pragma once

#include "vectors.h"

#define UNROLL _Pragma("GCC unroll 64")

struct Identity {
    Vec operator()(Vec value) const { return value; }
};

// Leaky ReLU, gain and clamp.
struct LeakyRelu {
    float above, below, bound;
    Vec operator()(Vec value) const {
        Vec y = value * (value > Vec{} ? splat(above) : splat(below));
        y = y > splat(bound) ? splat(bound) : y;
        return y < splat(-bound) ? splat(-bound) : y;
    }
    // The factor of a gradient.
    Vec derivative(Vec value) const {
        Vec factor = value > Vec{} ? splat(above) : splat(below);
        Vec y = value * factor;
        return ((y > splat(bound)) | (y < splat(-bound))) ? Vec{} : factor;
    }
};

// Upsampling along a row: a group is `up` outputs that depend on the same `taps` inputs. weights[up][taps].
template <int U, int T>
void up_row(const float* in, const float* weights, float* out, int groups, int up, int taps) {
    if constexpr (U == 0) {
        for (int group = 0; group < groups; ++group)
            for (int phase = 0; phase < up; ++phase) {
                Vec sum = {};
                for (int tap = 0; tap < taps; ++tap)
                    sum += splat(weights[phase * taps + tap]) * load(in + (group + tap) * LANES);
                store(out + (group * up + phase) * LANES, sum);
            }
    } else {
        constexpr int B = 8 / U;
        for (int group = 0; group < groups; group += B) {
            Vec sums[B][U] = {};
            UNROLL for (int i = 0; i < B + T - 1; ++i) {
                Vec pixel = load(in + (group + i) * LANES);
                UNROLL for (int b = 0; b < B; ++b)
                    if (i >= b && i - b < T) UNROLL for (int phase = 0; phase < U; ++phase)
                        sums[b][phase] += splat(weights[phase * T + i - b]) * pixel;
            }
            UNROLL for (int b = 0; b < B; ++b)
                UNROLL for (int phase = 0; phase < U; ++phase)
                    store(out + ((group + b) * U + phase) * LANES, sums[b][phase]);
        }
    }
}

// Upsampling across rows: `up` output rows from `taps` input rows, through the activation. weights[up][taps].
template <int U, int T, class Activation>
void up_rows(const float* const* rows, const float* weights, float* const* out, int width, int up, int taps,
             Activation activation) {
    if constexpr (U == 0) {
        for (int phase = 0; phase < up; ++phase)
            for (int x = 0; x < width; ++x) {
                Vec sum = {};
                for (int tap = 0; tap < taps; ++tap)
                    sum += splat(weights[phase * taps + tap]) * load(rows[tap] + x * LANES);
                store(out[phase] + x * LANES, activation(sum));
            }
    } else {
        constexpr int B = 8 / U;
        for (int x = 0; x < width; x += B) {
            Vec sums[U][B] = {};
            UNROLL for (int tap = 0; tap < T; ++tap) {
                UNROLL for (int b = 0; b < B; ++b) {
                    Vec pixel = load(rows[tap] + (x + b) * LANES);
                    UNROLL for (int phase = 0; phase < U; ++phase)
                        sums[phase][b] += splat(weights[phase * T + tap]) * pixel;
                }
            }
            UNROLL for (int phase = 0; phase < U; ++phase)
                UNROLL for (int b = 0; b < B; ++b) store(out[phase] + (x + b) * LANES, activation(sums[phase][b]));
        }
    }
}

// Upsampling with a full filter: a group is up_y rows of up_x outputs. weights[up_y][up_x][taps_y][taps_x].
template <int U, int T, class Activation>
void up_window(const float* const* rows, const float* weights, float* const* out, int groups, int up_x, int up_y,
               int taps_x, int taps_y, Activation activation) {
    if constexpr (U == 0) {
        for (int phase = 0; phase < up_y * up_x; ++phase) {
            const float* phase_weights = weights + phase * taps_y * taps_x;
            float* row = out[phase / up_x] + phase % up_x * LANES;
            for (int group = 0; group < groups; ++group) {
                Vec sum = {};
                for (int tap = 0; tap < taps_y * taps_x; ++tap)
                    sum += splat(phase_weights[tap]) * load(rows[tap / taps_x] + (group + tap % taps_x) * LANES);
                store(row + group * up_x * LANES, activation(sum));
            }
        }
    } else {
        constexpr int B = U == 2 ? 2 : 1;
        for (int group = 0; group < groups; group += B) {
            Vec sums[U][U][B] = {};
            for (int tap_y = 0; tap_y < T; ++tap_y) {
                const float* row = rows[tap_y] + group * LANES;
                const float* row_weights = weights + tap_y * T;
                UNROLL for (int i = 0; i < B + T - 1; ++i) {
                    Vec pixel = load(row + i * LANES);
                    UNROLL for (int b = 0; b < B; ++b)
                        if (i >= b && i - b < T) UNROLL for (int phase = 0; phase < U * U; ++phase)
                            sums[phase / U][phase % U][b] += splat(row_weights[phase * T * T + i - b]) * pixel;
                }
            }
            UNROLL for (int phase = 0; phase < U * U; ++phase)
                UNROLL for (int b = 0; b < B; ++b)
                    store(out[phase / U] + ((group + b) * U + phase % U) * LANES,
                          activation(sums[phase / U][phase % U][b]));
        }
    }
}

// Downsampling across rows: `count` output rows, each a sum of `taps` input rows; consecutive outputs start `down`
// input rows apart. weights[taps].
template <int D, int T, int R>
void down_rows(const float* const* rows, const float* weights, float* const* out, int count, int width, int down,
               int taps) {
    if (D == 0 || count != R) {
        for (int row = 0; row < count; ++row)
            for (int x = 0; x < width; ++x) {
                Vec sum = {};
                for (int tap = 0; tap < taps; ++tap)
                    sum += splat(weights[tap]) * load(rows[row * down + tap] + x * LANES);
                store(out[row] + x * LANES, sum);
            }
    } else {
        constexpr int B = 2;
        for (int x = 0; x < width; x += B) {
            Vec sums[R][B] = {};
            UNROLL for (int i = 0; i < (R - 1) * D + T; ++i) {
                Vec pixels[B];
                UNROLL for (int b = 0; b < B; ++b) pixels[b] = load(rows[i] + (x + b) * LANES);
                UNROLL for (int row = 0; row < R; ++row)
                    if (i >= row * D && i - row * D < T) UNROLL for (int b = 0; b < B; ++b)
                        sums[row][b] += splat(weights[i - row * D]) * pixels[b];
            }
            UNROLL for (int row = 0; row < R; ++row)
                UNROLL for (int b = 0; b < B; ++b) store(out[row] + (x + b) * LANES, sums[row][b]);
        }
    }
}

// Downsampling along a row. weights[taps].
template <int D, int T>
void down_row(const float* in, const float* weights, float* out, int count, int down, int taps) {
    if constexpr (D == 0) {
        for (int x = 0; x < count; ++x) {
            Vec sum = {};
            for (int tap = 0; tap < taps; ++tap) sum += splat(weights[tap]) * load(in + (x * down + tap) * LANES);
            store(out + x * LANES, sum);
        }
    } else {
        constexpr int B = 8;
        for (int x = 0; x < count; x += B) {
            Vec sums[B] = {};
            UNROLL for (int i = 0; i < (B - 1) * D + T; ++i) {
                Vec pixel = load(in + (x * D + i) * LANES);
                UNROLL for (int b = 0; b < B; ++b)
                    if (i >= b * D && i - b * D < T) sums[b] += splat(weights[i - b * D]) * pixel;
            }
            UNROLL for (int b = 0; b < B; ++b) store(out + (x + b) * LANES, sums[b]);
        }
    }
}

// Downsampling with a full filter. If `mirrored`, row k of the weights equals row taps_y - 1 - k, as in radially
// symmetric filters, and pairs of input rows are added first. weights[taps_y][taps_x].
template <int D, int T>
void down_window(const float* const* rows, const float* weights, float* out, int count, int down, int taps_x,
                 int taps_y, bool mirrored) {
    if (D == 0 || !mirrored || taps_y % 2 != 0) {
        for (int x = 0; x < count; ++x) {
            Vec sum = {};
            for (int y = 0; y < taps_y; ++y)
                for (int tap = 0; tap < taps_x; ++tap)
                    sum += splat(weights[y * taps_x + tap]) * load(rows[y] + (x * down + tap) * LANES);
            store(out + x * LANES, sum);
        }
    } else {
        constexpr int B = 8;
        for (int x = 0; x < count; x += B) {
            Vec sums[B] = {};
            for (int y = 0; y < taps_y / 2; ++y) {
                const float* above = rows[y] + x * D * LANES;
                const float* below = rows[taps_y - 1 - y] + x * D * LANES;
                const float* row_weights = weights + y * T;
                UNROLL for (int i = 0; i < (B - 1) * D + T; ++i) {
                    Vec pixel = load(above + i * LANES) + load(below + i * LANES);
                    UNROLL for (int b = 0; b < B; ++b)
                        if (i >= b * D && i - b * D < T) sums[b] += splat(row_weights[i - b * D]) * pixel;
                }
            }
            UNROLL for (int b = 0; b < B; ++b) store(out + (x + b) * LANES, sums[b]);
        }
    }
}
