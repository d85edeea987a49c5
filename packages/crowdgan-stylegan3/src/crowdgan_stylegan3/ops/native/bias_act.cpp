// Bias, leaky ReLU (linear and ReLU among them), gain and clamp in one pass, and the derivative.

#include <algorithm>
#include <cstdint>

namespace {

constexpr int64_t AT_ONCE = 1 << 14;  // values that a thread takes at once

struct Activation {
    float above, below, bound;  // slopes, gain included; bound of the absolute value
    float operator()(float x) const { return std::min(std::max(x * (x > 0 ? above : below), -bound), bound); }
    float derivative(float x) const {
        float slope = x > 0 ? above : below, y = x * slope;
        return y <= bound && y >= -bound ? slope : 0.0f;
    }
};

// A run of values with one bias each (`step` 1) or one bias for all (`step` 0).
void run(const float* x, const float* v, const float* b, int step, float* y, int64_t count, Activation act) {
    if (v) {
        for (int64_t i = 0; i < count; ++i) y[i] = v[i] * act.derivative(x[i] + b[i * step]);
    } else {
        for (int64_t i = 0; i < count; ++i) y[i] = act(x[i] + b[i * step]);
    }
}

}  // namespace

// y [outer, channels, inner] = act(x + b), or v · act'(x + b) where v is given; b [channels] belongs to the middle axis.
extern "C" void crowdgan_bias_act(const float* x, const float* v, const float* b, float* y, int64_t outer,
                                  int64_t channels, int64_t inner, float above, float below, float bound,
                                  int64_t threads) {
    Activation act{above, below, bound};
    bool along = inner == 1;  // neighbouring values have different biases
    int64_t length = along ? channels : inner, runs = along ? outer : outer * channels;
    int64_t chunk = std::max<int64_t>(AT_ONCE / length, 1);
#pragma omp parallel for schedule(static, chunk) num_threads(int(threads))
    for (int64_t i = 0; i < runs; ++i) {
        int64_t at = i * length;
        const float* vs = v ? v + at : nullptr;
        if (along)
            run(x + at, vs, b, 1, y + at, length, act);
        else
            run(x + at, vs, b + i % channels, 0, y + at, length, act);
    }
}
