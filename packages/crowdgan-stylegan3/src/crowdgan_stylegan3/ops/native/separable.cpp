// Upsampling, filtering with a separable filter and downsampling, without an activation: upfirdn2d.
//
// Per output row, the input rows that it depends on are summed into a temporary row, which is then filtered along x.
// Both are weighted sums of long runs of neighbouring floats, since images are channels last in memory. Inserted zeros
// are not multiplied.

#include <algorithm>
#include <cstdint>
#include <exception>
#include <vector>

#include "resample.h"

namespace {

constexpr int64_t MAX_ROW_FLOATS = 1 << 14;  // of a temporary row, which should stay in the L2 cache
constexpr int64_t MIN_CHANNELS = 64;         // of a block of channels, if a row must be divided
constexpr int64_t STRIP_ROWS = 16;           // output rows that a thread computes at a time

// `count` neighbouring outputs; the i-th is the sum of `taps` samples from `first + i` on, times the weights.
struct Run {
    int64_t first;
    int taps;
    const float* weights;
    int64_t count;
};

// The weights of one axis by phase: those of the taps that meet samples, not inserted zeros.
class Axis {
  public:
    Axis(const Stage& stage, int64_t up, int64_t down, int64_t pad, int64_t size, int64_t out)
        : weights_(up) {
        for (int64_t phase = 0; phase < up; ++phase)
            for (int64_t tap = phase; tap < stage.taps_x; tap += up) weights_[phase].push_back(stage.taps[tap]);
        for (int64_t o = 0; o < out; ++o) {
            int64_t position = o * down - pad, phase = ((-position) % up + up) % up;
            int64_t first = (position + phase) / up;  // sample of the first tap
            int64_t begin = std::max<int64_t>(0, -first);
            int64_t end = std::min<int64_t>(int64_t(weights_[phase].size()), size - first);
            if (begin < end)
                runs_.push_back({first + begin, int(end - begin), weights_[phase].data() + begin, 1});
            else
                runs_.push_back({0, 0, nullptr, 1});
        }
    }

    const std::vector<Run>& runs() const { return runs_; }

    // Neighbouring outputs with equal weights as one run.
    std::vector<Run> merged_runs() const {
        std::vector<Run> merged;
        for (const Run& run : runs_) {
            bool extends = !merged.empty() && merged.back().weights == run.weights && merged.back().taps == run.taps &&
                           merged.back().first + merged.back().count == run.first;
            if (extends)
                ++merged.back().count;
            else
                merged.push_back(run);
        }
        return merged;
    }

  private:
    std::vector<std::vector<float>> weights_;
    std::vector<Run> runs_;
};

// out[i] = sum over t of weights[t] · in[t · stride + i]
template <int TAPS>
void sum_taps(const float* __restrict in, int64_t stride, const float* weights, float* __restrict out, int64_t count) {
    float w[TAPS];
    for (int t = 0; t < TAPS; ++t) w[t] = weights[t];
    for (int64_t i = 0; i < count; ++i) {
        float sum = 0;
        for (int t = 0; t < TAPS; ++t) sum += w[t] * in[t * stride + i];
        out[i] = sum;
    }
}

template <>
void sum_taps<0>(const float* __restrict, int64_t, const float*, float* __restrict out, int64_t count) {
    std::fill(out, out + count, 0.0f);
}

void weighted_sum(const float* in, int64_t stride, const float* weights, int taps, float* out, int64_t count) {
    switch (taps) {
        case 0: return sum_taps<0>(in, stride, weights, out, count);
        case 1: return sum_taps<1>(in, stride, weights, out, count);
        case 2: return sum_taps<2>(in, stride, weights, out, count);
        case 3: return sum_taps<3>(in, stride, weights, out, count);
        case 4: return sum_taps<4>(in, stride, weights, out, count);
        case 5: return sum_taps<5>(in, stride, weights, out, count);
        case 6: return sum_taps<6>(in, stride, weights, out, count);
        case 12: return sum_taps<12>(in, stride, weights, out, count);
    }
    sum_taps<6>(in, stride, weights, out, count);
    for (int t = 6; t < taps; ++t)
        for (int64_t i = 0; i < count; ++i) out[i] += weights[t] * in[t * stride + i];
}

struct Block {
    int64_t n, channel, channels, top, bottom;  // of the output
};

std::vector<Block> divide_into_blocks(const Image& in, const Image& out) {
    int64_t channels = std::max(MAX_ROW_FLOATS / in.width, MIN_CHANNELS);
    if (channels >= in.channels) channels = in.channels;
    std::vector<Block> blocks;
    for (int64_t n = 0; n < out.n; ++n)
        for (int64_t channel = 0; channel < out.channels; channel += channels)
            for (int64_t top = 0; top < out.height; top += STRIP_ROWS)
                blocks.push_back({n, channel, std::min(channels, out.channels - channel), top,
                                  std::min(top + STRIP_ROWS, out.height)});
    return blocks;
}

void compute_block(const Image& in, const Image& out, const Block& block, const Axis& axis_y,
                   const std::vector<Run>& runs_x, std::vector<float>& row) {
    bool all_channels = block.channels == in.channels;
    row.resize(in.width * block.channels);
    for (int64_t y = block.top; y < block.bottom; ++y) {
        const Run& run_y = axis_y.runs()[y];
        const float* from = in.data + block.n * in.stride_n + run_y.first * in.stride_y + block.channel;
        int64_t pieces = all_channels ? 1 : in.width, length = int64_t(row.size()) / pieces;
        for (int64_t x = 0; x < pieces; ++x)
            weighted_sum(from + x * in.stride_x, in.stride_y, run_y.weights, run_y.taps, &row[x * length], length);
        float* to = out.data + block.n * out.stride_n + y * out.stride_y + block.channel;
        for (const Run& run : runs_x) {
            const float* samples = row.data() + run.first * block.channels;
            int64_t steps = all_channels ? 1 : run.count, count = run.count * block.channels / steps;
            for (int64_t i = 0; i < steps; ++i)
                weighted_sum(samples + i * block.channels, block.channels, run.weights, run.taps,
                             to + i * out.stride_x, count);
            to += run.count * out.stride_x;
        }
    }
}

}  // namespace

// out = downsampling(upsampling(in)) with one filter; `up` and `down` are (x, y). Padding and taps are those of
// `stage`, the factors of `stage` are not read. Returns 0, or 1 if memory cannot be allocated.
extern "C" int crowdgan_resample_separable(const Image* in, const Image* out, const Stage* stage, const int64_t* up,
                                           const int64_t* down, int64_t threads) {
    int failed = 0;
    try {
        Axis axis_x(*stage, up[0], down[0], stage->pad_x, in->width, out->width);
        Axis axis_y(*stage, up[1], down[1], stage->pad_y, in->height, out->height);
        std::vector<Run> runs_x = axis_x.merged_runs();
        std::vector<Block> blocks = divide_into_blocks(*in, *out);
#pragma omp parallel num_threads(int(threads)) reduction(| : failed)
        {
            std::vector<float> row;
#pragma omp for schedule(dynamic)
            for (size_t i = 0; i < blocks.size(); ++i) {
                try {
                    compute_block(*in, *out, blocks[i], axis_y, runs_x, row);
                } catch (const std::exception&) {  // std::bad_alloc; exceptions must not leave a parallel region
                    failed |= 1;
                }
            }
        }
    } catch (const std::exception&) {
        failed = 1;
    }
    return failed;
}
