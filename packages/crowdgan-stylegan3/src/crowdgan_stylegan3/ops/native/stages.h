// Rows of an upsampled image, computed in order for the downsampling that reads them.
//
// A tile is LANES channels of a range of columns. Only the rows that the filters span are kept, in ring buffers, so
// that the rows of a tile stay in the cache for images of any height.
#pragma once

#include <algorithm>
#include <vector>

#include "loops.h"
#include "resample.h"

inline int64_t ceil_div(int64_t a, int64_t b) { return a >= 0 ? (a + b - 1) / b : -(-a / b); }

// One axis of an upsampling. Position t of the padded upsampled grid is position t - pad of the unpadded grid, on which
// every up-th position holds an input sample. The `up` positions whose taps start at the same sample are a group, named
// by this sample.
struct UpsampledAxis {
    int up, taps, pad;  // taps: number of samples that one position depends on
    int64_t first_sample(int64_t t) const { return ceil_div(t - pad, up); }
    int64_t first_position(int64_t sample) const { return sample * up - (up - 1) + pad; }
    // The tap of the filter that is multiplied by the i-th sample, for one phase of the group.
    int tap(int phase, int i) const { return up - 1 - phase + up * i; }
};

// Computes rows of the upsampled image for a tile, in order.
template <class Activation>
class UpsampledRows {
  public:
    // Columns [left, right) of the upsampled grid; the upsampled image is its part [0, height) x [0, width).
    UpsampledRows(const Stage& stage, const TileInput& input, int64_t left, int64_t right, int64_t height,
                  int64_t width, int ring, Activation activation)
        : stage_(stage), input_(input), left_(left), right_(right), height_(height), width_(width),
          activation_(activation),
          x_{int(stage.factor_x), int(ceil_div(stage.taps_x, stage.factor_x)), int(stage.pad_x)},
          y_{int(stage.factor_y), int(ceil_div(stage.taps_y, stage.factor_y)), int(stage.pad_y)},
          sample_(x_.first_sample(left)), groups_(int(x_.first_sample(right - 1) - sample_ + 1)),
          lead_(int(left - x_.first_position(sample_))), stride_(int64_t(groups_) * x_.up + SLACK),
          samples_(groups_ + x_.taps + SLACK),
          window_stride_(stage.full || stage.identity ? groups_ + x_.taps + SLACK : stride_),
          window_(window_stride_ * y_.taps), ring_(ring + y_.up), rows_(stride_ * ring_),
          zeros_(std::max(stride_, window_stride_)) {
        if (!stage.identity) fill_weights();
    }

    // Starts at row `t`, or at the first row of the image.
    void start(int64_t t) {
        group_ = y_.first_sample(std::max<int64_t>(t, 0));
        next_sample_ = group_;
    }

    // Row `t`, from column `left`; valid until `ring` further rows are computed.
    const float* row(int64_t t) {
        if (t < 0 || t >= height_) return zeros_.at(0);
        while (group_ <= y_.first_sample(t)) compute_group();
        return ring_row(t) + lead_ * LANES;
    }

    float* mutable_row(int64_t t) { return const_cast<float*>(row(t)); }

  private:
    float* ring_row(int64_t t) const { return rows_.at((t % ring_ + ring_) % ring_ * stride_); }
    float* window_row(int64_t sample) const {
        return window_.at((sample % y_.taps + y_.taps) % y_.taps * window_stride_);
    }

    void compute_group() {
        if (stage_.identity) {
            float* to = ring_row(y_.first_position(group_));
            if (group_ < input_.height)
                load_row(group_, to);
            else
                std::memset(to, 0, size_t(groups_) * LANES * sizeof(float));  // padding after the image
            for (int x = 0; x < groups_; ++x) store(to + x * LANES, activation_(load(to + x * LANES)));
            clear_outside(y_.first_position(group_), to);
            ++group_;
            return;
        }
        for (; next_sample_ < group_ + y_.taps; ++next_sample_)
            if (next_sample_ >= 0 && next_sample_ < input_.height) upsample_row(next_sample_);
        const float* rows[MAX_TAPS];
        for (int i = 0; i < y_.taps; ++i) {
            int64_t sample = group_ + i;
            rows[i] = sample >= 0 && sample < input_.height ? window_row(sample) : zeros_.at(0);
        }
        float* out[MAX_TAPS];
        int64_t first = y_.first_position(group_);
        for (int phase = 0; phase < y_.up; ++phase) out[phase] = ring_row(first + phase);
        upsample_across_rows(rows, out);
        for (int phase = 0; phase < y_.up; ++phase) clear_outside(first + phase, out[phase]);
        ++group_;
    }

    void upsample_across_rows(const float* const* rows, float* const* out) const {
        const float* w = stage_.full ? weights_.data() : weights_y_.data();
        int width = groups_ * x_.up;
        bool square = x_.up == y_.up && x_.taps == y_.taps;
        if (stage_.full) {
            if (square && x_.up == 2 && x_.taps == 6)
                up_window<2, 6>(rows, w, out, groups_, 2, 2, 6, 6, activation_);
            else
                up_window<0, 0>(rows, w, out, groups_, x_.up, y_.up, x_.taps, y_.taps, activation_);
        } else if (y_.up == 2 && y_.taps == 6) {
            up_rows<2, 6>(rows, w, out, width, 2, 6, activation_);
        } else if (y_.up == 4 && y_.taps == 6) {
            up_rows<4, 6>(rows, w, out, width, 4, 6, activation_);
        } else if (y_.up == 2 && y_.taps == 2) {
            up_rows<2, 2>(rows, w, out, width, 2, 2, activation_);
        } else {
            up_rows<0, 0>(rows, w, out, width, y_.up, y_.taps, activation_);
        }
    }

    // A row of samples upsampled along the row; for full filters, the samples themselves.
    void upsample_row(int64_t sample) {
        float* to = window_row(sample);
        if (stage_.full) {
            load_row(sample, to);
            return;
        }
        load_row(sample, samples_.at(0));
        const float* w = weights_x_.data();
        if (x_.up == 2 && x_.taps == 6)
            up_row<2, 6>(samples_.at(0), w, to, groups_, 2, 6);
        else if (x_.up == 4 && x_.taps == 6)
            up_row<4, 6>(samples_.at(0), w, to, groups_, 4, 6);
        else if (x_.up == 2 && x_.taps == 2)
            up_row<2, 2>(samples_.at(0), w, to, groups_, 2, 2);
        else
            up_row<0, 0>(samples_.at(0), w, to, groups_, x_.up, x_.taps);
    }

    // Samples of a row plus the bias, and zeros outside the image.
    void load_row(int64_t sample, float* to) const {
        int64_t count = groups_ + x_.taps - 1;
        int64_t begin = std::clamp<int64_t>(-sample_, 0, count);
        int64_t end = std::clamp<int64_t>(input_.width - sample_, begin, count);
        Vec bias = input_.bias ? load_partial(input_.bias, input_.channels) : Vec{};
        const float* from = input_.data + sample * input_.stride_y + (sample_ + begin) * input_.stride_x;
        std::memset(to, 0, size_t(begin) * LANES * sizeof(float));
        if (input_.channels == LANES) {
            for (int64_t x = begin; x < end; ++x, from += input_.stride_x) store(to + x * LANES, load(from) + bias);
        } else {
            for (int64_t x = begin; x < end; ++x, from += input_.stride_x)
                store(to + x * LANES, load_partial(from, input_.channels) + bias);
        }
        std::memset(to + end * LANES, 0, size_t(count - end) * LANES * sizeof(float));
    }

    // Sets the columns outside the upsampled image to zero.
    void clear_outside(int64_t t, float* row) const {
        if (t < 0 || t >= height_) return;  // the row is never read
        float* columns = row + lead_ * LANES;
        int64_t before = std::clamp<int64_t>(-left_, 0, right_ - left_);
        int64_t inside = std::clamp<int64_t>(width_ - left_, before, right_ - left_);
        std::memset(columns, 0, size_t(before) * LANES * sizeof(float));
        std::memset(columns + inside * LANES, 0, size_t(right_ - left_ - inside) * LANES * sizeof(float));
    }

    void fill_weights() {
        if (stage_.full) {
            for (int phase = 0; phase < y_.up * x_.up; ++phase)
                for (int i = 0; i < y_.taps * x_.taps; ++i)
                    weights_.push_back(weight(y_.tap(phase / x_.up, i / x_.taps), x_.tap(phase % x_.up, i % x_.taps)));
        } else {
            for (int i = 0; i < x_.up * x_.taps; ++i) weights_x_.push_back(weight(0, x_.tap(i / x_.taps, i % x_.taps)));
            for (int i = 0; i < y_.up * y_.taps; ++i) weights_y_.push_back(weight(0, y_.tap(i / y_.taps, i % y_.taps)));
        }
    }

    // A tap of the filter; 0 beyond its end.
    float weight(int64_t y, int64_t x) const {
        return x < stage_.taps_x && y < stage_.taps_y ? stage_.taps[y * stage_.taps_x + x] : 0.0f;
    }

    const Stage& stage_;
    TileInput input_;
    int64_t left_, right_, height_, width_;
    Activation activation_;
    UpsampledAxis x_, y_;
    int64_t sample_;         // first sample of the columns of the tile
    int groups_;             // groups of columns
    int lead_;               // positions of the first group before `left`
    int64_t stride_;         // pixels of a computed row
    PixelBuffer samples_;    // one row of samples
    int64_t window_stride_;  // pixels of a row of the window
    PixelBuffer window_;     // rows of samples that the filter spans, upsampled along the row
    int ring_;
    PixelBuffer rows_;       // computed rows
    PixelBuffer zeros_;      // a row of zeros
    std::vector<float> weights_, weights_x_, weights_y_;
    int64_t group_ = 0, next_sample_ = 0;
};
