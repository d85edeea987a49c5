// Upsampling, an activation and downsampling in one pass: upfirdn2d and filtered_lrelu, and the derivatives of both.
//
// The image is cut into tiles of LANES channels and some columns, which all cores share. Per tile, a few rows of the
// upsampled image are kept at a time (`stages.h`); no inserted zero is multiplied (polyphase). Every output is summed
// in the same order whatever the tiles and the number of threads.

#include "resample.h"

#include <exception>

#include "stages.h"

namespace {

constexpr int ROWS_AT_ONCE = 4;     // output rows that share the rows they are made of
constexpr int TILE_COLUMNS = 176;   // of the upsampled image: the rings then take about 200 KiB of the L2 cache
constexpr int COLUMN_STEP = 8;      // tiles end at multiples of what the loops make at once

struct Tile {
    int64_t n, channel, top, bottom, left, right;  // of the output
};

View view_of(const Image& image, const float* bias, const Tile& tile) {
    return {image.data + tile.n * image.stride_n + tile.channel, bias ? bias + tile.channel : nullptr,
            image.height, image.width, image.stride_y, image.stride_x,
            int(std::min<int64_t>(LANES, image.channels - tile.channel))};
}

// The rows of one stage, or of the leaky ReLU's derivative from two.
template <class Point>
class Between {
  public:
    Between(const Job& job, const Tile& tile, int64_t left, int64_t right, int ring, Point point)
        : rows_(job.rise, view_of(job.in, job.bias, tile), left, right, job.height, job.width, ring, point) {}
    void start(int64_t t) { rows_.start(t); }
    const float* row(int64_t t) { return rows_.row(t); }

  private:
    UpRows<Point> rows_;
};

struct Derivative {
    LeakyRelu relu;
};

template <>
class Between<Derivative> {
  public:
    Between(const Job& job, const Tile& tile, int64_t left, int64_t right, int ring, Derivative point)
        : relu_(point.relu), width_(right - left), height_(job.height),
          rows_(job.rise, view_of(job.in, nullptr, tile), left, right, job.height, job.width, ring, {}),
          mask_(job.mask_rise, view_of(job.mask, job.bias, tile), left, right, job.height, job.width, ring, {}) {}
    void start(int64_t t) {
        rows_.start(t);
        mask_.start(t);
        next_ = std::max<int64_t>(t, 0);
    }
    const float* row(int64_t t) {
        for (; next_ <= t && next_ < height_; ++next_) {
            float* values = rows_.made(next_);
            const float* at = mask_.row(next_);
            for (int64_t x = 0; x < width_; ++x)
                store(values + x * LANES, load(values + x * LANES) * relu_.derivative(load(at + x * LANES)));
        }
        return rows_.row(t);
    }

  private:
    LeakyRelu relu_;
    int64_t width_, height_, next_ = 0;
    UpRows<Nothing> rows_, mask_;
};

void store_row(const float* from, const Image& out, const Tile& tile, int64_t y) {
    int channels = int(std::min<int64_t>(LANES, out.channels - tile.channel));
    float* to = out.data + tile.n * out.stride_n + y * out.stride_y + tile.left * out.stride_x + tile.channel;
    for (int64_t x = 0; x < tile.right - tile.left; ++x, to += out.stride_x, from += LANES)
        channels == LANES ? store(to, load(from)) : store_some(to, load(from), channels);
}

void fall_rows(const float* const* rows, const Stage& fall, float* const* out, int count, int width) {
    int down = int(fall.factor_y), taps = int(fall.taps_y);
    if (down == 2 && taps == 12)
        down_rows<2, 12, ROWS_AT_ONCE>(rows, fall.taps, out, count, width, down, taps);
    else if (down == 4 && taps == 24)
        down_rows<4, 24, ROWS_AT_ONCE>(rows, fall.taps, out, count, width, down, taps);
    else if (down == 2 && taps == 4)
        down_rows<2, 4, ROWS_AT_ONCE>(rows, fall.taps, out, count, width, down, taps);
    else if (down == 1 && taps == 4)
        down_rows<1, 4, ROWS_AT_ONCE>(rows, fall.taps, out, count, width, down, taps);
    else
        down_rows<0, 0, ROWS_AT_ONCE>(rows, fall.taps, out, count, width, down, taps);
}

void fall_row(const float* row, const Stage& fall, float* out, int count) {
    int down = int(fall.factor_x), taps = int(fall.taps_x);
    if (down == 2 && taps == 12)
        down_row<2, 12>(row, fall.taps, out, count, down, taps);
    else if (down == 4 && taps == 24)
        down_row<4, 24>(row, fall.taps, out, count, down, taps);
    else if (down == 2 && taps == 4)
        down_row<2, 4>(row, fall.taps, out, count, down, taps);
    else if (down == 1 && taps == 4)
        down_row<1, 4>(row, fall.taps, out, count, down, taps);
    else
        down_row<0, 0>(row, fall.taps, out, count, down, taps);
}

void fall_window(const float* const* rows, const Stage& fall, float* out, int count) {
    int down = int(fall.factor_x), taps_x = int(fall.taps_x), taps_y = int(fall.taps_y);
    if (down == 2 && taps_x == 12)
        down_window<2, 12>(rows, fall.taps, out, count, down, taps_x, taps_y, fall.mirrored);
    else
        down_window<0, 0>(rows, fall.taps, out, count, down, taps_x, taps_y, fall.mirrored);
}

template <class Point>
void make_tile(const Job& job, const Tile& tile, Point point) {
    const Stage& fall = job.fall;
    int64_t left = tile.left * fall.factor_x - fall.pad_x;
    int64_t right = (tile.right - 1) * fall.factor_x - fall.pad_x + fall.taps_x;
    int span = int((ROWS_AT_ONCE - 1) * fall.factor_y + fall.taps_y);
    int width = int(right - left), count = int(tile.right - tile.left);
    Between<Point> between(job, tile, left, right, span, point);
    between.start(tile.top * fall.factor_y - fall.pad_y);
    std::vector<const float*> rows(span);
    Pixels narrow((width + SLACK) * ROWS_AT_ONCE), made(count + SLACK);
    for (int64_t y = tile.top; y < tile.bottom; y += ROWS_AT_ONCE) {
        int some = int(std::min<int64_t>(ROWS_AT_ONCE, tile.bottom - y));
        int64_t t = y * fall.factor_y - fall.pad_y;
        for (int i = 0; i < (some - 1) * fall.factor_y + fall.taps_y; ++i) rows[i] = between.row(t + i);
        float* mixed[ROWS_AT_ONCE];
        for (int i = 0; i < some; ++i) mixed[i] = narrow.at(i * (width + SLACK));
        if (!fall.full && !fall.identity) fall_rows(rows.data(), fall, mixed, some, width);
        for (int i = 0; i < some; ++i) {
            if (fall.identity) {
                store_row(rows[i], job.out, tile, y + i);
                continue;
            }
            if (fall.full)
                fall_window(rows.data() + i * fall.factor_y, fall, made.at(0), count);
            else
                fall_row(mixed[i], fall, made.at(0), count);
            store_row(made.at(0), job.out, tile, y + i);
        }
    }
}

// Cuts the output into tiles; into strips of rows too where there are few channels.
std::vector<Tile> tiles_of(const Job& job) {
    const Image& out = job.out;
    int64_t most = std::max<int64_t>((TILE_COLUMNS - job.fall.taps_x) / job.fall.factor_x, COLUMN_STEP);
    int64_t columns = ceil_div(ceil_div(out.width, ceil_div(out.width, most)), COLUMN_STEP) * COLUMN_STEP;
    int64_t across = out.n * ceil_div(out.channels, LANES) * ceil_div(out.width, columns);
    int64_t strips = std::clamp<int64_t>(ceil_div(4 * job.threads, across), 1, ceil_div(out.height, 16));
    int64_t lines = ceil_div(out.height, strips);
    std::vector<Tile> tiles;
    for (int64_t n = 0; n < out.n; ++n)
        for (int64_t channel = 0; channel < out.channels; channel += LANES)
            for (int64_t top = 0; top < out.height; top += lines)
                for (int64_t left = 0; left < out.width; left += columns)
                    tiles.push_back({n, channel, top, std::min(top + lines, out.height), left,
                                     std::min(left + columns, out.width)});
    return tiles;
}

template <class Point>
int run(const Job& job, Point point) {
    std::vector<Tile> tiles = tiles_of(job);
    int failed = 0;
#pragma omp parallel for schedule(dynamic) num_threads(int(job.threads)) reduction(| : failed)
    for (size_t i = 0; i < tiles.size(); ++i) {
        try {
            make_tile(job, tiles[i], point);
        } catch (const std::exception&) {  // no memory
            failed |= 1;
        }
    }
    return failed;
}

}  // namespace

// 0, or 1 when there was not enough memory.
extern "C" int crowdgan_resample(const Job* job) {
    LeakyRelu relu{job->above, job->below, job->bound};
    switch (job->point) {
        case LEAKY_RELU: return run(*job, relu);
        case LEAKY_RELU_DERIVATIVE: return run(*job, Derivative{relu});
        default: return run(*job, Nothing{});
    }
}
