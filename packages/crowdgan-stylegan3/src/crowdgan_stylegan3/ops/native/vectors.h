// Vectors of neighbouring channels, and buffers of pixels of such vectors.
#pragma once

#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#if defined(__AVX512F__)
#include <immintrin.h>
constexpr int LANES = 16;
#elif defined(__AVX__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

typedef float Vec __attribute__((vector_size(LANES * sizeof(float))));

constexpr int SLACK = 48;  // pixels after a row that unrolled loops may read and write beyond its end

inline Vec splat(float value) { return value - Vec{}; }

inline Vec load(const float* from) {
    Vec value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

inline void store(float* to, Vec value) { std::memcpy(to, &value, sizeof value); }

// The first `count` lanes; the others are 0.
inline Vec load_partial(const float* from, int count) {
#if defined(__AVX512F__)
    return (Vec)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
#else
    if (count == LANES) return load(from);
    Vec value = {};
    for (int lane = 0; lane < count; ++lane) value[lane] = from[lane];
    return value;
#endif
}

// Stores the first `count` lanes.
inline void store_partial(float* to, Vec value, int count) {
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), (__m512)value);
#else
    if (count == LANES) return store(to, value);
    for (int lane = 0; lane < count; ++lane) to[lane] = value[lane];
#endif
}

// Pixels of LANES channels each, aligned to cache lines, initialised to 0.
class PixelBuffer {
  public:
    explicit PixelBuffer(int64_t count)
        : data_(static_cast<float*>(::operator new(bytes(count), std::align_val_t(64)))) {
        std::memset(data_, 0, bytes(count));
    }
    PixelBuffer(PixelBuffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
    PixelBuffer(const PixelBuffer&) = delete;
    PixelBuffer& operator=(const PixelBuffer&) = delete;
    ~PixelBuffer() { ::operator delete(data_, std::align_val_t(64)); }
    float* at(int64_t pixel) const { return data_ + pixel * LANES; }

  private:
    static size_t bytes(int64_t count) { return static_cast<size_t>(count) * LANES * sizeof(float); }
    float* data_;
};
