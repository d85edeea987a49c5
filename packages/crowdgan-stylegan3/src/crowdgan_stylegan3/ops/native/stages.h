// Rows of an upsampled image, made one after another, and the downsampling that takes them up.
//
// A tile is LANES channels of some columns. Only the rows that the filters span are kept, in rings, so that a tile's
// rows stay in the cache however tall the image is.
#pragma once

#include <algorithm>
#include <vector>

#include "loops.h"
#include "resample.h"

inline int64_t ceil_div(int64_t a, int64_t b) { return a >= 0 ? (a + b - 1) / b : -(-a / b); }

// One axis of an upsampling. Position t of the padded upsampled grid is u = t - pad of the grid on which every up-th
// place holds a sample. The `up` places that meet the same samples first are a group, named by the first sample.
struct UpAxis {
    int up, taps, pad;  // taps: samples that a place meets
    int64_t first_sample(int64_t t) const { return ceil_div(t - pad, up); }
    int64_t first_place(int64_t sample) const { return sample * up - (up - 1) + pad; }
    // The tap of the filter that the i-th sample meets at a phase of the group.
    int tap(int phase, int i) const { return up - 1 - phase + up * i; }
};

// Makes rows of the upsampled image for a tile, in order.
template <class Point>
class UpRows {
  public:
    // Columns [left, right) of the upsampled grid, of which `size` (height, width) is the image.
    UpRows(const Stage& stage, const View& view, int64_t left, int64_t right, int64_t height, int64_t width, int ring,
           Point point)
        : stage_(stage), view_(view), left_(left), right_(right), height_(height), width_(width), point_(point),
          x_{int(stage.factor_x), int(ceil_div(stage.taps_x, stage.factor_x)), int(stage.pad_x)},
          y_{int(stage.factor_y), int(ceil_div(stage.taps_y, stage.factor_y)), int(stage.pad_y)},
          sample_(x_.first_sample(left)), groups_(int(x_.first_sample(right - 1) - sample_ + 1)),
          lead_(int(left - x_.first_place(sample_))), stride_(int64_t(groups_) * x_.up + SLACK),
          in_(groups_ + x_.taps + SLACK), narrow_(stage.full || stage.identity ? groups_ + x_.taps + SLACK : stride_),
          window_(narrow_ * y_.taps), ring_(ring + y_.up), rows_(stride_ * ring_), nothing_(std::max(stride_, narrow_)) {
        if (!stage.identity) fill_weights();
    }

    // Starts at row `t`, or at the image's first.
    void start(int64_t t) {
        group_ = y_.first_sample(std::max<int64_t>(t, 0));
        have_ = group_;
    }

    // Row `t`, from column `left` on; rows that were made stay until `ring` further ones are made.
    const float* row(int64_t t) {
        if (t < 0 || t >= height_) return nothing_.at(0);
        while (group_ <= y_.first_sample(t)) make_group();
        return place(t) + lead_ * LANES;
    }

    float* made(int64_t t) { return const_cast<float*>(row(t)); }

  private:
    float* place(int64_t t) const { return rows_.at((t % ring_ + ring_) % ring_ * stride_); }
    float* window(int64_t sample) const { return window_.at((sample % y_.taps + y_.taps) % y_.taps * narrow_); }

    void make_group() {
        if (stage_.identity) {
            float* to = place(y_.first_place(group_));
            if (group_ < view_.height)
                load_row(group_, to);
            else
                std::memset(to, 0, size_t(groups_) * LANES * sizeof(float));  // padding after the image
            for (int x = 0; x < groups_; ++x) store(to + x * LANES, point_(load(to + x * LANES)));
            crop(y_.first_place(group_), to);
            ++group_;
            return;
        }
        for (; have_ < group_ + y_.taps; ++have_)
            if (have_ >= 0 && have_ < view_.height) widen_row(have_);
        const float* rows[MAX_TAPS];
        for (int i = 0; i < y_.taps; ++i) {
            int64_t sample = group_ + i;
            rows[i] = sample >= 0 && sample < view_.height ? window(sample) : nothing_.at(0);
        }
        float* out[MAX_TAPS];
        int64_t first = y_.first_place(group_);
        for (int phase = 0; phase < y_.up; ++phase) out[phase] = place(first + phase);
        mix(rows, out);
        for (int phase = 0; phase < y_.up; ++phase) crop(first + phase, out[phase]);
        ++group_;
    }

    void mix(const float* const* rows, float* const* out) const {
        const float* w = stage_.full ? weights_.data() : weights_y_.data();
        int width = groups_ * x_.up;
        bool square = x_.up == y_.up && x_.taps == y_.taps;
        if (stage_.full) {
            if (square && x_.up == 2 && x_.taps == 6)
                up_window<2, 6>(rows, w, out, groups_, 2, 2, 6, 6, point_);
            else
                up_window<0, 0>(rows, w, out, groups_, x_.up, y_.up, x_.taps, y_.taps, point_);
        } else if (y_.up == 2 && y_.taps == 6) {
            up_rows<2, 6>(rows, w, out, width, 2, 6, point_);
        } else if (y_.up == 4 && y_.taps == 6) {
            up_rows<4, 6>(rows, w, out, width, 4, 6, point_);
        } else if (y_.up == 2 && y_.taps == 2) {
            up_rows<2, 2>(rows, w, out, width, 2, 2, point_);
        } else {
            up_rows<0, 0>(rows, w, out, width, y_.up, y_.taps, point_);
        }
    }

    // A row of samples upsampled along the row; for filters that are not separable, as it is.
    void widen_row(int64_t sample) {
        float* to = window(sample);
        if (stage_.full) {
            load_row(sample, to);
            return;
        }
        load_row(sample, in_.at(0));
        const float* w = weights_x_.data();
        if (x_.up == 2 && x_.taps == 6)
            up_row<2, 6>(in_.at(0), w, to, groups_, 2, 6);
        else if (x_.up == 4 && x_.taps == 6)
            up_row<4, 6>(in_.at(0), w, to, groups_, 4, 6);
        else if (x_.up == 2 && x_.taps == 2)
            up_row<2, 2>(in_.at(0), w, to, groups_, 2, 2);
        else
            up_row<0, 0>(in_.at(0), w, to, groups_, x_.up, x_.taps);
    }

    // Samples of a row, with the bias added and zeros beyond the image.
    void load_row(int64_t sample, float* to) const {
        int64_t count = groups_ + x_.taps - 1;
        int64_t begin = std::clamp<int64_t>(-sample_, 0, count);
        int64_t end = std::clamp<int64_t>(view_.width - sample_, begin, count);
        Vec bias = view_.bias ? load_some(view_.bias, view_.channels) : Vec{};
        const float* from = view_.data + sample * view_.stride_y + (sample_ + begin) * view_.stride_x;
        std::memset(to, 0, size_t(begin) * LANES * sizeof(float));
        if (view_.channels == LANES) {
            for (int64_t x = begin; x < end; ++x, from += view_.stride_x) store(to + x * LANES, load(from) + bias);
        } else {
            for (int64_t x = begin; x < end; ++x, from += view_.stride_x)
                store(to + x * LANES, load_some(from, view_.channels) + bias);
        }
        std::memset(to + end * LANES, 0, size_t(count - end) * LANES * sizeof(float));
    }

    // Zeros where the tile reaches beyond the upsampled image.
    void crop(int64_t t, float* row) const {
        if (t < 0 || t >= height_) return;  // never asked for
        float* at = row + lead_ * LANES;
        int64_t before = std::clamp<int64_t>(-left_, 0, right_ - left_);
        int64_t inside = std::clamp<int64_t>(width_ - left_, before, right_ - left_);
        std::memset(at, 0, size_t(before) * LANES * sizeof(float));
        std::memset(at + inside * LANES, 0, size_t(right_ - left_ - inside) * LANES * sizeof(float));
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

    // The filter, continued by zeros.
    float weight(int64_t y, int64_t x) const {
        return x < stage_.taps_x && y < stage_.taps_y ? stage_.taps[y * stage_.taps_x + x] : 0.0f;
    }

    const Stage& stage_;
    View view_;
    int64_t left_, right_, height_, width_;
    Point point_;
    UpAxis x_, y_;
    int64_t sample_;   // first sample of the tile's columns
    int groups_;       // groups of columns
    int lead_;         // places of the first group before `left`
    int64_t stride_;   // pixels of a made row
    Pixels in_;        // one row of samples
    int64_t narrow_;   // pixels of a row in the window
    Pixels window_;    // rows of samples that the filter spans, upsampled along the row
    int ring_;
    Pixels rows_;      // made rows
    Pixels nothing_;   // a row of zeros
    std::vector<float> weights_, weights_x_, weights_y_;
    int64_t group_ = 0, have_ = 0;
};
