// Bias, leaky ReLU (including linear and ReLU), gain and clamp in one pass, and the derivative.

#include <algorithm>
#include <cstdint>
#include <vector>

namespace {

constexpr int64_t CHUNK_VALUES = 1 << 14;  // values that a thread processes at a time
constexpr int64_t LONG_RUN = 1 << 10;      // values after which the start of a loop takes little of the time

struct Activation {
    float above, below, bound;  // slopes above and below 0, gain included; bound of the absolute value
    float operator()(float x) const { return std::min(std::max(x * (x > 0 ? above : below), -bound), bound); }
    float derivative(float x) const {
        float slope = x > 0 ? above : below, y = x * slope;
        return y <= bound && y >= -bound ? slope : 0.0f;
    }
};

// Contiguous values with one bias each (BIAS_STEP 1) or one bias for all (BIAS_STEP 0).
template <int BIAS_STEP>
void process_run(const float* x, const float* v, const float* b, float* y, int64_t count, Activation act) {
    if (v) {
        for (int64_t i = 0; i < count; ++i) y[i] = v[i] * act.derivative(x[i] + b[i * BIAS_STEP]);
    } else {
        for (int64_t i = 0; i < count; ++i) y[i] = act(x[i] + b[i * BIAS_STEP]);
    }
}

}  // namespace

// y [outer, channels, inner] = act(x + b), or v · act'(x + b) if v is not null; b is [channels].
extern "C" void crowdgan_bias_act(const float* x, const float* v, const float* b, float* y, int64_t outer,
                                  int64_t channels, int64_t inner, float above, float below, float bound,
                                  int64_t threads) {
    Activation act{above, below, bound};
    bool channels_last = inner == 1;  // neighbouring values have different biases
    int64_t repeats = channels_last ? std::clamp<int64_t>(LONG_RUN / channels, 1, outer) : 1;
    std::vector<float> biases;  // with few channels, repeated for long runs
    for (int64_t i = 0; i < repeats; ++i) biases.insert(biases.end(), b, b + channels);
    int64_t total = outer * channels * inner, length = channels_last ? channels * repeats : inner;
    int64_t runs = (total + length - 1) / length, chunk = std::max<int64_t>(CHUNK_VALUES / length, 1);
#pragma omp parallel for schedule(static, chunk) num_threads(int(threads))
    for (int64_t i = 0; i < runs; ++i) {
        int64_t offset = i * length, count = std::min(length, total - offset);
        const float* run_v = v ? v + offset : nullptr;
        if (channels_last)
            process_run<1>(x + offset, run_v, biases.data(), y + offset, count, act);
        else
            process_run<0>(x + offset, run_v, &biases[i % channels], y + offset, count, act);
    }
}
