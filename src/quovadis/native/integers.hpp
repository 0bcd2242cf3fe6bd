// What the kernels on 8-bit feature maps share, for AVX-512.
#pragma once

#include "tiles.hpp"

namespace quovadis {
namespace {

typedef float Vec __attribute__((vector_size(64), may_alias));

constexpr int LANES = 16;

inline Vec to_float(__m512i integers) { return reinterpret_cast<Vec>(_mm512_cvtepi32_ps(integers)); }

// Rounds to 0 … 255; what is below, ReLU makes 0.
inline void store_bytes(std::uint8_t* p, Vec value) {
  const __m512i integers = _mm512_max_epi32(_mm512_cvtps_epi32(reinterpret_cast<__m512>(value)), _mm512_setzero_si512());
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtusepi32_epi8(integers));
}

// Rounds to 0 … 2^15 - 1.
inline void store_shorts(std::int16_t* p, Vec value) {
  const __m512i integers = _mm512_max_epi32(_mm512_cvtps_epi32(reinterpret_cast<__m512>(value)), _mm512_setzero_si512());
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtsepi32_epi16(integers));
}

}  // namespace
}  // namespace quovadis
