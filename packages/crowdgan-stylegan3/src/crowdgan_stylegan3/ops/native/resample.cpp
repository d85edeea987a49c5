// Upsampling, an activation and downsampling in one pass: upfirdn2d and filtered_lrelu, and the derivatives of both.
//
// The image is divided into tiles of LANES channels and a range of columns, which the threads process in parallel. Per
// tile, a few rows of the upsampled image are in memory at a time (`stages.h`); inserted zeros are not multiplied
// (polyphase). The order of summation of each output does not depend on the tiles or the number of threads.

#include "resample.h"

#include <exception>

#include "stages.h"

namespace {

constexpr int BLOCK_ROWS = 4;      // output rows that are computed together, from shared input rows
constexpr int TILE_COLUMNS = 176;  // columns of the upsampled image; ring buffers then take about 200 KiB of L2 cache
constexpr int COLUMN_STEP = 8;     // tile widths are multiples of the number of outputs of an unrolled loop

struct Tile {
    int64_t n, channel, top, bottom, left, right;  // of the output
};

TileInput tile_input(const Image& image, const float* bias, const Tile& tile) {
    return {image.data + tile.n * image.stride_n + tile.channel, bias ? bias + tile.channel : nullptr,
            image.height, image.width, image.stride_y, image.stride_x,
            int(std::min<int64_t>(LANES, image.channels - tile.channel))};
}

// Rows between the stages: the activation of the upsampled input, or, specialised below, the product of the upsampled
// input and the derivative of the leaky ReLU at the upsampled mask.
template <class Activation>
class ActivatedRows {
  public:
    ActivatedRows(const Job& job, const Tile& tile, int64_t left, int64_t right, int ring, Activation activation)
        : rows_(job.upsampling, tile_input(job.in, job.bias, tile), left, right, job.height, job.width, ring,
                activation) {}
    void start(int64_t t) { rows_.start(t); }
    const float* row(int64_t t) { return rows_.row(t); }

  private:
    UpsampledRows<Activation> rows_;
};

struct LeakyReluDerivative {
    LeakyRelu relu;
};

template <>
class ActivatedRows<LeakyReluDerivative> {
  public:
    ActivatedRows(const Job& job, const Tile& tile, int64_t left, int64_t right, int ring,
                  LeakyReluDerivative derivative)
        : relu_(derivative.relu), width_(right - left), height_(job.height),
          rows_(job.upsampling, tile_input(job.in, nullptr, tile), left, right, job.height, job.width, ring, {}),
          mask_(job.mask_upsampling, tile_input(job.mask, job.bias, tile), left, right, job.height, job.width, ring,
                {}) {}
    void start(int64_t t) {
        rows_.start(t);
        mask_.start(t);
        next_ = std::max<int64_t>(t, 0);
    }
    const float* row(int64_t t) {
        for (; next_ <= t && next_ < height_; ++next_) {
            float* values = rows_.mutable_row(next_);
            const float* mask = mask_.row(next_);
            for (int64_t x = 0; x < width_; ++x)
                store(values + x * LANES, load(values + x * LANES) * relu_.derivative(load(mask + x * LANES)));
        }
        return rows_.row(t);
    }

  private:
    LeakyRelu relu_;
    int64_t width_, height_, next_ = 0;
    UpsampledRows<Identity> rows_, mask_;
};

void store_row(const float* from, const Image& out, const Tile& tile, int64_t y) {
    int channels = int(std::min<int64_t>(LANES, out.channels - tile.channel));
    float* to = out.data + tile.n * out.stride_n + y * out.stride_y + tile.left * out.stride_x + tile.channel;
    for (int64_t x = 0; x < tile.right - tile.left; ++x, to += out.stride_x, from += LANES)
        channels == LANES ? store(to, load(from)) : store_partial(to, load(from), channels);
}

void downsample_rows(const float* const* rows, const Stage& stage, float* const* out, int count, int width) {
    int down = int(stage.factor_y), taps = int(stage.taps_y);
    if (down == 2 && taps == 12)
        down_rows<2, 12, BLOCK_ROWS>(rows, stage.taps, out, count, width, down, taps);
    else if (down == 4 && taps == 24)
        down_rows<4, 24, BLOCK_ROWS>(rows, stage.taps, out, count, width, down, taps);
    else if (down == 2 && taps == 4)
        down_rows<2, 4, BLOCK_ROWS>(rows, stage.taps, out, count, width, down, taps);
    else if (down == 1 && taps == 4)
        down_rows<1, 4, BLOCK_ROWS>(rows, stage.taps, out, count, width, down, taps);
    else
        down_rows<0, 0, BLOCK_ROWS>(rows, stage.taps, out, count, width, down, taps);
}

void downsample_row(const float* row, const Stage& stage, float* out, int count) {
    int down = int(stage.factor_x), taps = int(stage.taps_x);
    if (down == 2 && taps == 12)
        down_row<2, 12>(row, stage.taps, out, count, down, taps);
    else if (down == 4 && taps == 24)
        down_row<4, 24>(row, stage.taps, out, count, down, taps);
    else if (down == 2 && taps == 4)
        down_row<2, 4>(row, stage.taps, out, count, down, taps);
    else if (down == 1 && taps == 4)
        down_row<1, 4>(row, stage.taps, out, count, down, taps);
    else
        down_row<0, 0>(row, stage.taps, out, count, down, taps);
}

void downsample_window(const float* const* rows, const Stage& stage, float* out, int count) {
    int down = int(stage.factor_x), taps_x = int(stage.taps_x), taps_y = int(stage.taps_y);
    if (down == 2 && taps_x == 12)
        down_window<2, 12>(rows, stage.taps, out, count, down, taps_x, taps_y, stage.mirrored);
    else
        down_window<0, 0>(rows, stage.taps, out, count, down, taps_x, taps_y, stage.mirrored);
}

template <class Activation>
void compute_tile(const Job& job, const Tile& tile, Activation activation) {
    const Stage& stage = job.downsampling;
    int64_t left = tile.left * stage.factor_x - stage.pad_x;
    int64_t right = (tile.right - 1) * stage.factor_x - stage.pad_x + stage.taps_x;
    int span = int((BLOCK_ROWS - 1) * stage.factor_y + stage.taps_y);
    int width = int(right - left), count = int(tile.right - tile.left);
    ActivatedRows<Activation> activated(job, tile, left, right, span, activation);
    activated.start(tile.top * stage.factor_y - stage.pad_y);
    std::vector<const float*> rows(span);
    PixelBuffer filtered_buffer((width + SLACK) * BLOCK_ROWS), out_row(count + SLACK);
    for (int64_t y = tile.top; y < tile.bottom; y += BLOCK_ROWS) {
        int block_rows = int(std::min<int64_t>(BLOCK_ROWS, tile.bottom - y));
        int64_t t = y * stage.factor_y - stage.pad_y;
        for (int i = 0; i < (block_rows - 1) * stage.factor_y + stage.taps_y; ++i) rows[i] = activated.row(t + i);
        float* filtered[BLOCK_ROWS];
        for (int i = 0; i < block_rows; ++i) filtered[i] = filtered_buffer.at(i * (width + SLACK));
        if (!stage.full && !stage.identity) downsample_rows(rows.data(), stage, filtered, block_rows, width);
        for (int i = 0; i < block_rows; ++i) {
            if (stage.identity) {
                store_row(rows[i], job.out, tile, y + i);
                continue;
            }
            if (stage.full)
                downsample_window(rows.data() + i * stage.factor_y, stage, out_row.at(0), count);
            else
                downsample_row(filtered[i], stage, out_row.at(0), count);
            store_row(out_row.at(0), job.out, tile, y + i);
        }
    }
}

// Divides the output into tiles; with few channels, also into strips of rows.
std::vector<Tile> divide_into_tiles(const Job& job) {
    const Image& out = job.out;
    int64_t max_columns =
        std::max<int64_t>((TILE_COLUMNS - job.downsampling.taps_x) / job.downsampling.factor_x, COLUMN_STEP);
    int64_t columns = ceil_div(ceil_div(out.width, ceil_div(out.width, max_columns)), COLUMN_STEP) * COLUMN_STEP;
    int64_t tiles_per_strip = out.n * ceil_div(out.channels, LANES) * ceil_div(out.width, columns);
    int64_t strips = std::clamp<int64_t>(ceil_div(4 * job.threads, tiles_per_strip), 1, ceil_div(out.height, 16));
    int64_t strip_rows = ceil_div(out.height, strips);
    std::vector<Tile> tiles;
    for (int64_t n = 0; n < out.n; ++n)
        for (int64_t channel = 0; channel < out.channels; channel += LANES)
            for (int64_t top = 0; top < out.height; top += strip_rows)
                for (int64_t left = 0; left < out.width; left += columns)
                    tiles.push_back({n, channel, top, std::min(top + strip_rows, out.height), left,
                                     std::min(left + columns, out.width)});
    return tiles;
}

// Returns 0, or 1 if memory cannot be allocated.
template <class Activation>
int run(const Job& job, Activation activation) {
    std::vector<Tile> tiles = divide_into_tiles(job);
    int failed = 0;
#pragma omp parallel for schedule(dynamic) num_threads(int(job.threads)) reduction(| : failed)
    for (size_t i = 0; i < tiles.size(); ++i) {
        try {
            compute_tile(job, tiles[i], activation);
        } catch (const std::exception&) {  // std::bad_alloc; exceptions must not leave a parallel region
            failed |= 1;
        }
    }
    return failed;
}

}  // namespace

// Returns 0, or 1 if memory cannot be allocated.
extern "C" int crowdgan_resample(const Job* job) {
    LeakyRelu relu{job->above, job->below, job->bound};
    switch (job->activation) {
        case LEAKY_RELU: return run(*job, relu);
        case LEAKY_RELU_DERIVATIVE: return run(*job, LeakyReluDerivative{relu});
        default: return run(*job, Identity{});
    }
}
