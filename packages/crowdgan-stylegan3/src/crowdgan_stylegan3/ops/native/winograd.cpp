// The input and output transforms of Winograd's convolution F(4x4, 3x3): per tile of 4x4 outputs, 36 products per pair
// of channels instead of 144. PyTorch computes the products, as matrix products.
//
// The interpolation points are 0, ±2/3, ±3/2 and infinity, the set with the smallest float32 error of many that were
// compared: its standard deviation is 2e-6 of that of the outputs (direct summation: 1e-7).
//
// Source: Winograd, "Arithmetic Complexity of Computations", 1980; Lavin and Gray, "Fast Algorithms for Convolutional
// Neural Networks", CVPR 2016; Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for
// Deep Neural Networks", ACM TOMS 2020.

#include <algorithm>
#include <cstdint>

#include "resample.h"
#include "vectors.h"

namespace {

constexpr int OUT = 4, IN = 6;  // sides of an output tile and of an input tile
constexpr float A = 2.0f / 3, B = 3.0f / 2, A2 = A * A, B2 = B * B;  // interpolation points; A · B = 1

// Maps the samples of a line to values at the interpolation points.
inline void to_points(const Vec* d, Vec* v) {
    Vec even_a = d[4] - splat(B2) * d[2], odd_a = splat(A) * (d[3] - splat(B2) * d[1]);
    Vec even_b = d[4] - splat(A2) * d[2], odd_b = splat(B) * (d[3] - splat(A2) * d[1]);
    v[0] = d[0] - splat(A2 + B2) * d[2] + d[4];
    v[1] = even_a + odd_a;
    v[2] = even_a - odd_a;
    v[3] = even_b + odd_b;
    v[4] = even_b - odd_b;
    v[5] = d[1] - splat(A2 + B2) * d[3] + d[5];
}

// Maps products at the interpolation points to the outputs of a line.
inline void from_points(const Vec* v, Vec* y) {
    Vec even_a = v[1] + v[2], odd_a = v[1] - v[2], even_b = v[3] + v[4], odd_b = v[3] - v[4];
    y[0] = v[0] + even_a + even_b;
    y[1] = splat(A) * odd_a + splat(B) * odd_b;
    y[2] = splat(A2) * even_a + splat(B2) * even_b;
    y[3] = splat(A * A2) * odd_a + splat(B * B2) * odd_b + v[5];
}

struct Tiles {
    int64_t per_row, first, count;  // tiles in a row of tiles; range of tiles that is transformed
    int64_t y(int64_t i) const { return (first + i) / per_row * OUT; }
    int64_t x(int64_t i) const { return (first + i) % per_row * OUT; }
};

void transform_input(const Image& in, const float* scale, int64_t channel, int64_t top, int64_t left, float* to,
                     int64_t stride) {
    int lanes = int(std::min<int64_t>(LANES, in.channels - channel));
    Vec factor = scale ? load_partial(scale + channel, lanes) : splat(1.0f);
    Vec lines[IN][IN];  // [column of the tile][interpolation point]
    for (int j = 0; j < IN; ++j) {
        Vec column[IN];
        for (int i = 0; i < IN; ++i) {
            int64_t y = top + i, x = left + j;
            bool inside = y >= 0 && y < in.height && x >= 0 && x < in.width;
            const float* from = in.data + y * in.stride_y + x * in.stride_x + channel;
            column[i] = inside ? factor * (lanes == LANES ? load(from) : load_partial(from, lanes)) : Vec{};
        }
        to_points(column, lines[j]);
    }
    for (int i = 0; i < IN; ++i) {
        Vec row[IN], values[IN];
        for (int j = 0; j < IN; ++j) row[j] = lines[j][i];
        to_points(row, values);
        for (int j = 0; j < IN; ++j) {
            float* target = to + (i * IN + j) * stride + channel;
            lanes == LANES ? store(target, values[j]) : store_partial(target, values[j], lanes);
        }
    }
}

void transform_output(const float* from, int64_t stride, const float* scale, int64_t channel, const Image& out,
                      int64_t top, int64_t left) {
    int lanes = int(std::min<int64_t>(LANES, out.channels - channel));
    Vec factor = scale ? load_partial(scale + channel, lanes) : splat(1.0f);
    Vec lines[IN][OUT];  // [column of points][row of the tile]
    for (int j = 0; j < IN; ++j) {
        Vec column[IN];
        for (int i = 0; i < IN; ++i) {
            const float* values = from + (i * IN + j) * stride + channel;
            column[i] = lanes == LANES ? load(values) : load_partial(values, lanes);
        }
        from_points(column, lines[j]);
    }
    for (int64_t i = 0; i < std::min<int64_t>(OUT, out.height - top); ++i) {
        Vec row[IN], values[OUT];
        for (int j = 0; j < IN; ++j) row[j] = lines[j][i];
        from_points(row, values);
        for (int64_t j = 0; j < std::min<int64_t>(OUT, out.width - left); ++j) {
            float* target = out.data + (top + i) * out.stride_y + (left + j) * out.stride_x + channel;
            lanes == LANES ? store(target, factor * values[j]) : store_partial(target, factor * values[j], lanes);
        }
    }
}

}  // namespace

// Transforms tiles `first` to `first + count - 1` of one image to `to` [36][count][channels]; each channel is
// multiplied by its scale if `scale` is not null.
extern "C" void crowdgan_winograd_input_transform(const Image* in, const float* scale, int64_t pad_y, int64_t pad_x,
                                                  int64_t tiles_per_row, int64_t first, int64_t count, float* to,
                                                  int64_t threads) {
    Tiles tiles{tiles_per_row, first, count};
#pragma omp parallel for schedule(static) num_threads(int(threads))
    for (int64_t i = 0; i < count; ++i)
        for (int64_t channel = 0; channel < in->channels; channel += LANES)
            transform_input(*in, scale, channel, tiles.y(i) - pad_y, tiles.x(i) - pad_x, to + i * in->channels,
                            count * in->channels);
}

// Transforms `from` [36][count][channels] to these tiles of the result.
extern "C" void crowdgan_winograd_output_transform(const float* from, const float* scale, const Image* out,
                                                   int64_t tiles_per_row, int64_t first, int64_t count,
                                                   int64_t threads) {
    Tiles tiles{tiles_per_row, first, count};
#pragma omp parallel for schedule(static) num_threads(int(threads))
    for (int64_t i = 0; i < count; ++i)
        for (int64_t channel = 0; channel < out->channels; channel += LANES)
            transform_output(from + i * out->channels, count * out->channels, scale, channel, *out, tiles.y(i),
                             tiles.x(i));
}
