// Winograd's convolution F(4x4, 3x3): per tile of 4x4 outputs, 36 products per pair of channels instead of 144; and the
// gradient of its weight, the transposed algorithm.
//
// Blocks of tiles are transformed to values at 36 interpolation points, which stay in the L2 cache. Per point, the
// products are a matrix product of tiles and channels. The order of summation of each output of a convolution does not
// depend on the blocks, the other images of the batch, or the number of threads.
//
// The interpolation points are 0, ±2/3, ±3/2 and infinity, the set with the smallest float32 error of many that were
// compared: its standard deviation is 2e-6 of that of the outputs (direct summation: 1e-7).
//
// Source: Winograd, "Arithmetic Complexity of Computations", 1980; Lavin and Gray, "Fast Algorithms for Convolutional
// Neural Networks", CVPR 2016; Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for
// Deep Neural Networks", ACM TOMS 2020.

#include <algorithm>
#include <cstdint>
#include <exception>
#include <vector>

#include "loops.h"
#include "resample.h"

namespace {

constexpr int OUT = 4, TAPS = 3, IN = 6;  // sides of an output tile, of the weights, and of an input tile
constexpr int POINTS = IN * IN;
constexpr int ROWS = 6, VECTORS = 2, COLUMNS = VECTORS * LANES;  // of a matrix product whose sums stay in registers
constexpr int64_t BLOCK_FLOATS = 1 << 16;                        // of a block of transformed tiles, half an L2 cache
constexpr int64_t MIN_BLOCK_TILES = 24;                          // even with many channels, for few loads of weights
constexpr int64_t MIN_GRADIENT_TILES = 72;                       // the same for gradients of weights
constexpr int64_t PANEL_TILES = 24, PANEL_COLUMNS = 2 * COLUMNS;  // whose products are in memory at a time
constexpr int64_t LINE_FLOATS = 16;                              // of a cache line
constexpr float A = 2.0f / 3, B = 3.0f / 2, A2 = A * A, B2 = B * B;  // interpolation points; A · B = 1
constexpr float INV_A = 1 / (2 * A2 * (A2 - B2)), INV_B = 1 / (2 * B2 * (B2 - A2));  // of Lagrange's denominators

// Values at the points A, -A, B and -B from the even and odd parts of the polynomials at A and B.
inline void set_nonzero_points(Vec even_a, Vec odd_a, Vec even_b, Vec odd_b, Vec* v) {
    v[1] = even_a + odd_a;
    v[2] = even_a - odd_a;
    v[3] = even_b + odd_b;
    v[4] = even_b - odd_b;
}

// Maps the samples of a line to values at the interpolation points.
inline void to_points(const Vec* d, Vec* v) {
    Vec even_a = d[4] - splat(B2) * d[2], odd_a = splat(A) * (d[3] - splat(B2) * d[1]);
    Vec even_b = d[4] - splat(A2) * d[2], odd_b = splat(B) * (d[3] - splat(A2) * d[1]);
    v[0] = d[0] - splat(A2 + B2) * d[2] + d[4];
    set_nonzero_points(even_a, odd_a, even_b, odd_b, v);
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

// Transposes `from_points`: maps the gradients of the outputs of a line to the interpolation points.
inline void gradients_to_points(const Vec* d, Vec* v) {
    Vec even_a = d[0] + splat(A2) * d[2], odd_a = splat(A) * d[1] + splat(A * A2) * d[3];
    Vec even_b = d[0] + splat(B2) * d[2], odd_b = splat(B) * d[1] + splat(B * B2) * d[3];
    v[0] = d[0];
    set_nonzero_points(even_a, odd_a, even_b, odd_b, v);
    v[5] = d[3];
}

// Maps the taps of a line to the interpolation points, over Lagrange's denominators.
inline void taps_to_points(const Vec* w, Vec* v) {
    Vec even_a = splat(INV_A) * (w[0] + splat(A2) * w[2]), odd_a = splat(INV_A * A) * w[1];
    Vec even_b = splat(INV_B) * (w[0] + splat(B2) * w[2]), odd_b = splat(INV_B * B) * w[1];
    v[0] = w[0];
    set_nonzero_points(even_a, odd_a, even_b, odd_b, v);
    v[5] = w[2];
}

// Transposes `taps_to_points`.
inline void points_to_taps(const Vec* v, Vec* w) {
    Vec even_a = splat(INV_A) * (v[1] + v[2]), odd_a = splat(INV_A * A) * (v[1] - v[2]);
    Vec even_b = splat(INV_B) * (v[3] + v[4]), odd_b = splat(INV_B * B) * (v[3] - v[4]);
    w[0] = v[0] + even_a + even_b;
    w[1] = odd_a + odd_b;
    w[2] = splat(A2) * even_a + splat(B2) * even_b + v[5];
}

// The tiles of all images of a batch, in order.
struct Tiles {
    int64_t per_row, per_image, total;
    explicit Tiles(const Image& out)
        : per_row((out.width + OUT - 1) / OUT), per_image(per_row * ((out.height + OUT - 1) / OUT)),
          total(per_image * out.n) {}
    int64_t image(int64_t i) const { return i / per_image; }
    int64_t y(int64_t i) const { return i % per_image / per_row * OUT; }
    int64_t x(int64_t i) const { return i % per_image % per_row * OUT; }
};

// Values of a block of tiles, [point][tile][channels].
struct Block {
    int64_t tiles, channels, point_stride;
    std::vector<float> values;
    Block(int64_t tiles, int64_t channels) : tiles(tiles), channels(channels) {
        int64_t lines = (tiles * channels + LINE_FLOATS - 1) / LINE_FLOATS;
        point_stride = (lines | 1) * LINE_FLOATS;  // an odd number of lines: the points do not share cache sets
        values.assign(point_stride * POINTS, 0.0f);
    }
    float* at(int64_t point, int64_t tile) { return values.data() + point * point_stride + tile * channels; }
};

int64_t block_tiles(int64_t channels, int64_t minimum, int64_t total) {
    int64_t tiles = std::max(BLOCK_FLOATS / (POINTS * channels), minimum) / ROWS * ROWS;
    return std::min(tiles, (total + ROWS - 1) / ROWS * ROWS);
}

// Transforms LANES channels of a tile: `sample(i, j)` returns its samples, `save(point, value)` takes the results.
template <int SIZE, void (*TO_POINTS)(const Vec*, Vec*), class Sample, class Save>
inline void transform_samples(Sample sample, Save save) {
    Vec lines[SIZE][IN];  // [column of the tile][interpolation point]
    UNROLL for (int j = 0; j < SIZE; ++j) {
        Vec column[SIZE];
        UNROLL for (int i = 0; i < SIZE; ++i) column[i] = sample(i, j);
        TO_POINTS(column, lines[j]);
    }
    UNROLL for (int i = 0; i < IN; ++i) {
        Vec row[SIZE], values[IN];
        UNROLL for (int j = 0; j < SIZE; ++j) row[j] = lines[j][i];
        TO_POINTS(row, values);
        UNROLL for (int j = 0; j < IN; ++j) save(i * IN + j, values[j]);
    }
}

// Transforms the samples [SIZE][SIZE] of a tile, which starts at row `top` and column `left`, to the points.
template <int SIZE, void (*TO_POINTS)(const Vec*, Vec*)>
void transform_tile(const Image& in, int64_t n, const float* scale, int64_t top, int64_t left, float* to,
                    int64_t point_stride) {
    bool is_inside = top >= 0 && left >= 0 && top + SIZE <= in.height && left + SIZE <= in.width;
    const float* corner = in.data + n * in.stride_n + top * in.stride_y + left * in.stride_x;
    for (int64_t channel = 0; channel < in.channels; channel += LANES, corner += LANES, to += LANES) {
        int lanes = int(std::min<int64_t>(LANES, in.channels - channel));
        Vec factor = scale ? load_partial(scale + channel, lanes) : splat(1.0f);
        if (is_inside && lanes == LANES) {
            transform_samples<SIZE, TO_POINTS>(
                [&](int i, int j) { return load(corner + i * in.stride_y + j * in.stride_x); },
                [&](int point, Vec value) { store(to + point * point_stride, factor * value); });
        } else {
            transform_samples<SIZE, TO_POINTS>(
                [&](int i, int j) {
                    int64_t y = top + i, x = left + j;
                    if (y < 0 || y >= in.height || x < 0 || x >= in.width) return Vec{};
                    return load_partial(corner + i * in.stride_y + j * in.stride_x, lanes);
                },
                [&](int point, Vec value) { store_partial(to + point * point_stride, factor * value, lanes); });
        }
    }
}

// Transforms the products `from` [POINTS] of LANES channels to a tile of the image.
void transform_output(const float* from, int64_t stride, const float* scale, int64_t channel, const Image& out,
                      int64_t n, int64_t top, int64_t left) {
    int lanes = int(std::min<int64_t>(LANES, out.channels - channel));
    Vec factor = scale ? load_partial(scale + channel, lanes) : splat(1.0f);
    Vec lines[IN][OUT];  // [column of points][row of the tile]
    for (int j = 0; j < IN; ++j) {
        Vec column[IN];
        for (int i = 0; i < IN; ++i) column[i] = load(from + (i * IN + j) * stride);
        from_points(column, lines[j]);
    }
    for (int64_t i = 0; i < std::min<int64_t>(OUT, out.height - top); ++i) {
        Vec row[IN], values[OUT];
        for (int j = 0; j < IN; ++j) row[j] = lines[j][i];
        from_points(row, values);
        float* target = out.data + n * out.stride_n + (top + i) * out.stride_y + left * out.stride_x + channel;
        for (int64_t j = 0; j < std::min<int64_t>(OUT, out.width - left); ++j, target += out.stride_x)
            lanes == LANES ? store(target, factor * values[j]) : store_partial(target, factor * values[j], lanes);
    }
}

// out[r][COLUMNS] = or += sum over d of a[r · a_row + d · a_depth] · b[d · b_depth + COLUMNS], for R rows.
template <int R, bool ACCUMULATE>
void multiply(const float* a, int64_t a_row, int64_t a_depth, const float* b, int64_t b_depth, int64_t depth,
              float* out, int64_t out_row) {
    Vec sums[R][VECTORS] = {};
    for (int64_t d = 0; d < depth; ++d) {
        Vec columns[VECTORS];
        UNROLL for (int v = 0; v < VECTORS; ++v) columns[v] = load(b + d * b_depth + v * LANES);
        UNROLL for (int r = 0; r < R; ++r) {
            Vec value = splat(a[r * a_row + d * a_depth]);
            UNROLL for (int v = 0; v < VECTORS; ++v) sums[r][v] += value * columns[v];
        }
    }
    UNROLL for (int r = 0; r < R; ++r) {
        UNROLL for (int v = 0; v < VECTORS; ++v) {
            float* target = out + r * out_row + v * LANES;
            store(target, ACCUMULATE ? load(target) + sums[r][v] : sums[r][v]);
        }
    }
}

struct Convolution {
    const Image &in, &out;
    const float *in_scale, *out_scale, *weights;
    int64_t pad;
    Tiles tiles;
};

// products [POINTS][PANEL_TILES][PANEL_COLUMNS] of a range of tiles (rows) and output channels (columns).
void multiply_panel(const Convolution& job, Block& block, int64_t row, int64_t end_row, int64_t column,
                    int64_t end_column, float* products) {
    int64_t depth = job.in.channels;
    for (int64_t point = 0; point < POINTS; ++point)
        for (int64_t c = column; c < end_column; c += COLUMNS)
            for (int64_t r = row; r < end_row; r += ROWS)
                multiply<ROWS, false>(
                    block.at(point, r), depth, 1, job.weights + (c * POINTS + point * COLUMNS) * depth, COLUMNS, depth,
                    products + (point * PANEL_TILES + r - row) * PANEL_COLUMNS + c - column, PANEL_COLUMNS);
}

void convolve_block(const Convolution& job, int64_t first, int64_t count, Block& block, float* products) {
    const Image &in = job.in, &out = job.out;
    for (int64_t i = 0; i < count; ++i) {
        int64_t n = job.tiles.image(first + i);
        transform_tile<IN, to_points>(in, n, job.in_scale ? job.in_scale + n * in.channels : nullptr,
                                      job.tiles.y(first + i) - job.pad, job.tiles.x(first + i) - job.pad,
                                      block.at(0, i), block.point_stride);
    }
    for (int64_t column = 0; column < out.channels; column += PANEL_COLUMNS)
        for (int64_t row = 0; row < count; row += PANEL_TILES) {
            int64_t end_row = std::min(row + PANEL_TILES, count);
            int64_t end_column = std::min(column + PANEL_COLUMNS, out.channels);
            multiply_panel(job, block, row, end_row, column, end_column, products);
            for (int64_t i = row; i < end_row; ++i) {
                int64_t n = job.tiles.image(first + i);
                for (int64_t channel = column; channel < end_column; channel += LANES)
                    transform_output(products + (i - row) * PANEL_COLUMNS + channel - column,
                                     PANEL_TILES * PANEL_COLUMNS,
                                     job.out_scale ? job.out_scale + n * out.channels : nullptr, channel, out, n,
                                     job.tiles.y(first + i), job.tiles.x(first + i));
            }
        }
}

// sums [channels][b.channels] += aᵀ · b at one point.
void accumulate_products(Block& a, Block& b, int64_t point, int64_t count, int64_t channels, float* sums) {
    for (int64_t column = 0; column < b.channels; column += COLUMNS) {
        const float* from = b.at(point, 0) + column;
        auto run = [&](auto kernel, int64_t row) {
            kernel(a.at(point, 0) + row, 1, a.channels, from, b.channels, count, sums + row * b.channels + column,
                   b.channels);
        };
        int64_t row = 0;
        for (; row + ROWS <= channels; row += ROWS) run(multiply<ROWS, true>, row);
        switch (channels - row) {
            case 5: run(multiply<5, true>, row); break;
            case 4: run(multiply<4, true>, row); break;
            case 3: run(multiply<3, true>, row); break;
            case 2: run(multiply<2, true>, row); break;
            case 1: run(multiply<1, true>, row); break;
        }
    }
}

// Transforms sums at the points to the taps [3][3] of LANES or fewer output channels, `stride` floats apart.
void transform_sums(const float* sums, int64_t point_stride, float* taps, int64_t stride, int64_t lanes) {
    Vec lines[IN][TAPS];  // [column of points][row of taps]
    for (int j = 0; j < IN; ++j) {
        Vec column[IN];
        for (int i = 0; i < IN; ++i) column[i] = load(sums + (i * IN + j) * point_stride);
        points_to_taps(column, lines[j]);
    }
    for (int i = 0; i < TAPS; ++i) {
        Vec row[IN], values[TAPS];
        for (int j = 0; j < IN; ++j) row[j] = lines[j][i];
        points_to_taps(row, values);
        for (int j = 0; j < TAPS; ++j)
            for (int64_t lane = 0; lane < lanes; ++lane) taps[lane * stride + i * TAPS + j] = values[j][lane];
    }
}

}  // namespace

// Number of output channels to a multiple of which the weights are padded.
extern "C" int64_t crowdgan_winograd_columns() { return COLUMNS; }

// out = conv(in · in_scale) · out_scale; the scales, [n][channels], may be null. The weights are
// [blocks of COLUMNS output channels][POINTS][input channels][COLUMNS]. Returns 0, or 1 if memory cannot be allocated.
extern "C" int crowdgan_winograd_convolve(const Image* in, const float* in_scale, const float* weights,
                                          const float* out_scale, const Image* out, int64_t pad, int64_t threads) {
    Convolution job{*in, *out, in_scale, out_scale, weights, pad, Tiles(*out)};
    int64_t step = block_tiles(in->channels, MIN_BLOCK_TILES, job.tiles.total);
    int failed = 0;
#pragma omp parallel num_threads(int(threads)) reduction(| : failed)
    try {
        Block block(step, in->channels);
        std::vector<float> products(POINTS * PANEL_TILES * PANEL_COLUMNS);
#pragma omp for schedule(dynamic)
        for (int64_t first = 0; first < job.tiles.total; first += step)
            convolve_block(job, first, std::min(step, job.tiles.total - first), block, products.data());
    } catch (const std::exception&) {  // std::bad_alloc; exceptions must not leave a parallel region
        failed |= 1;
    }
    return failed;
}

// Transforms `taps` [output channels][input channels][3][3], with any strides, to the weights of `convolve`.
extern "C" void crowdgan_winograd_transform_weight(const float* taps, const int64_t* sizes, const int64_t* strides,
                                                   float* weights, int64_t threads) {
    int64_t channels_out = sizes[0], channels_in = sizes[1];
#pragma omp parallel for schedule(static) num_threads(int(threads))
    for (int64_t column = 0; column < channels_out; column += LANES)
        for (int64_t channel = 0; channel < channels_in; ++channel) {
            const float* from = taps + column * strides[0] + channel * strides[1];
            int64_t lanes = std::min<int64_t>(LANES, channels_out - column);
            float* to = weights + column / COLUMNS * COLUMNS * POINTS * channels_in + channel * COLUMNS + column % COLUMNS;
            transform_samples<TAPS, taps_to_points>(
                [&](int i, int j) {
                    Vec value = {};
                    for (int64_t lane = 0; lane < lanes; ++lane)
                        value[lane] = from[lane * strides[0] + i * strides[2] + j * strides[3]];
                    return value;
                },
                [&](int point, Vec value) { store(to + point * channels_in * COLUMNS, value); });
        }
}

// taps [output channels][input channels][3][3] = the gradient of the weight, from that of the convolution's result.
// Returns 0, or 1 if memory cannot be allocated.
extern "C" int crowdgan_winograd_weight_gradient(const Image* in, const Image* gradient, int64_t pad, float* taps,
                                                 int64_t threads) {
    Tiles tiles(*gradient);
    int64_t columns = (gradient->channels + COLUMNS - 1) / COLUMNS * COLUMNS;
    int64_t step = block_tiles(in->channels + columns, MIN_GRADIENT_TILES, tiles.total) * threads;
    int64_t point_stride = in->channels * columns;
    try {
        Block samples(step, in->channels), gradients(step, columns);
        std::vector<float> sums(POINTS * point_stride);
#pragma omp parallel num_threads(int(threads))
        for (int64_t first = 0; first < tiles.total; first += step) {
            int64_t count = std::min(step, tiles.total - first);
#pragma omp for schedule(static)
            for (int64_t i = 0; i < count; ++i) {
                int64_t n = tiles.image(first + i), y = tiles.y(first + i), x = tiles.x(first + i);
                transform_tile<IN, to_points>(*in, n, nullptr, y - pad, x - pad, samples.at(0, i),
                                              samples.point_stride);
                transform_tile<OUT, gradients_to_points>(*gradient, n, nullptr, y, x, gradients.at(0, i),
                                                         gradients.point_stride);
            }
#pragma omp for schedule(static)
            for (int64_t point = 0; point < POINTS; ++point)
                accumulate_products(samples, gradients, point, count, in->channels, sums.data() + point * point_stride);
        }
#pragma omp parallel for schedule(static) num_threads(int(threads))
        for (int64_t channel = 0; channel < in->channels; ++channel)
            for (int64_t column = 0; column < gradient->channels; column += LANES)
                transform_sums(sums.data() + channel * columns + column, point_stride,
                               taps + (column * in->channels + channel) * TAPS * TAPS, in->channels * TAPS * TAPS,
                               std::min<int64_t>(LANES, gradient->channels - column));
    } catch (const std::exception&) {
        return 1;
    }
    return 0;
}
