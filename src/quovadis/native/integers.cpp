// The kernels on 8-bit feature maps, for AVX-512 with VNNI: 16-bit transformed values, 32-bit sums.
//
// Transformed 8-bit activations need at most 13 bits and are exact; weights are rounded to as many bits as leave the
// sums below 2^31 whatever the activations (see engines/native_integers.py), 11 and more where 8-bit weights have 8.
// Where 8 bits are enough, 1x1x1 convolutions multiply bytes as they are, twice as many at a time. What the stem makes,
// and the pool and the convolution after it take, is 16 bits wide: most of what 8 bits lose, they lose there.
#include "integers.hpp"

namespace quovadis {
namespace {

constexpr int PANEL = 32;
constexpr int ROWS = 14;

// A matrix product of R rows with one panel; a row of A is `segments` runs of `words` words of 32 bits, each a pair of
// 16-bit values or four bytes.
template <class A>
struct Operands {
  const A* a;
  int64_t row;  // values
  int segments;
  int64_t segment, words;
  const typename std::make_signed<A>::type* b;
  std::int32_t* c;
  int64_t c_row;
  // With a scale, outputs are scaled, biased and stored as bytes in place of C.
  const float* scale = nullptr;
  const float* bias = nullptr;
  std::uint8_t* bytes = nullptr;
  int64_t bytes_row = 0;
};

inline __m512i add_products(__m512i sum, __m512i a, __m512i b, const std::int16_t*) {
  return _mm512_dpwssd_epi32(sum, a, b);
}
inline __m512i add_products(__m512i sum, __m512i a, __m512i b, const std::uint8_t*) {
  return _mm512_dpbusd_epi32(sum, a, b);
}

template <int R, int COLS, class A>
void multiply_rows(const Operands<A>& o) {
  constexpr int PACKED = 4 / sizeof(A);
  constexpr int N = COLS / LANES;
  __m512i sum[R][N];
  for (int r = 0; r < R; ++r)
    for (int n = 0; n < N; ++n) sum[r][n] = _mm512_setzero_si512();
  const auto* b = o.b;
  // The weights of the next point follow; fetching them now hides how far away they are.
  const int64_t ahead = PACKED * COLS * o.words * o.segments;
  for (int s = 0; s < o.segments; ++s) {
    const A* a = o.a + s * o.segment;
    for (int64_t k = 0; k < o.words; ++k, b += PACKED * COLS) {
      __m512i column[N];
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) {
        column[n] = _mm512_loadu_si512(b + PACKED * LANES * n);
        _mm_prefetch(reinterpret_cast<const char*>(b + ahead + PACKED * LANES * n), _MM_HINT_T0);
      }
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        std::int32_t word;
        std::memcpy(&word, a + r * o.row + PACKED * k, sizeof word);
        const __m512i value = _mm512_set1_epi32(word);
#pragma GCC unroll 2
        for (int n = 0; n < N; ++n) sum[r][n] = add_products(sum[r][n], value, column[n], a);
      }
    }
  }
  for (int n = 0; n < N; ++n) {
    if (o.scale == nullptr) {
      for (int r = 0; r < R; ++r) _mm512_storeu_si512(o.c + r * o.c_row + n * LANES, sum[r][n]);
      continue;
    }
    const Vec scale = read<Vec>(o.scale + n * LANES), offset = read<Vec>(o.bias + n * LANES);
    for (int r = 0; r < R; ++r) store_bytes(o.bytes + r * o.bytes_row + n * LANES, to_float(sum[r][n]) * scale + offset);
  }
}

template <int COLS, int R = ROWS, class A>
void multiply_few(const Operands<A>& o, int64_t rows) {
  if (rows == R) {
    multiply_rows<R, COLS>(o);
  } else if constexpr (R > 1) {
    multiply_few<COLS, R - 1>(o, rows);
  }
}

template <class A>
void multiply(Operands<A> o, int64_t rows, int64_t columns) {
  while (rows > 0) {
    const int64_t now = rows >= 2 * ROWS || rows <= ROWS ? std::min<int64_t>(rows, ROWS) : (rows + 1) / 2;
    if (columns >= PANEL)
      multiply_few<PANEL>(o, now);
    else
      multiply_few<PANEL / 2>(o, now);
    o.a += now * o.row;
    o.c += now * o.c_row;
    o.bytes += now * o.bytes_row;
    rows -= now;
  }
}

// A sum of integer products, scaled.
inline Vec scaled(const std::int32_t* sum, const float* scale) {
  return to_float(_mm512_loadu_si512(sum)) * read<Vec>(scale);
}

// --- 1x1x1 ------------------------------------------------------------------------------------------------------------

// Calls `multiply_block(pixel, first output byte, rows, scratch)` for every block of pixels.
template <class Value, class MultiplyBlock>
void for_pixels(Threads& threads, const View& x, const View& y, const MultiplyBlock& multiply_block) {
  constexpr int64_t BLOCK = 112;
  const int64_t pixels = (y.end - y.first) * y.height * y.width;
  const Value* input = static_cast<const Value*>(x.data) + (y.first - x.first) * x.height * x.width * x.stride;
  threads.run(ceil_div(pixels, BLOCK), [&](int64_t block, Scratch& scratch) {
    const int64_t begin = block * BLOCK;
    multiply_block(input + begin * x.stride, static_cast<std::uint8_t*>(y.data) + begin * y.stride,
                   std::min(BLOCK, pixels - begin), scratch);
  });
}

void pointwise(Threads& threads, const View& x, int64_t channels, const std::int16_t* weights, const float* scale,
               const float* bias, int64_t out_channels, const View& y) {
  for_pixels<std::uint8_t>(threads, x, y, [&](const std::uint8_t* from, std::uint8_t* to, int64_t rows, Scratch& scratch) {
    std::int16_t* values = static_cast<std::int16_t*>(scratch.reserve(rows * channels * 2));
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < channels; c += 16)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(values + r * channels + c),
                            _mm256_cvtepu8_epi16(
                                _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + r * x.stride + c))));
    for (int64_t k = 0; k < out_channels; k += PANEL)
      multiply<std::int16_t>({values, channels, 1, 0, channels / 2, weights + k * channels, nullptr, 0, scale + k,
                              bias + k, to + k, y.stride},
                             rows, out_channels - k);
  });
}

// Multiplies values where they are: bytes with 8-bit weights, 16-bit values with 16-bit ones.
template <class Value, class Weight>
void pointwise_in_place(Threads& threads, const View& x, int64_t channels, const Weight* weights, const float* scale,
                        const float* bias, int64_t out_channels, const View& y) {
  constexpr int64_t PACKED = 4 / sizeof(Value);
  for_pixels<Value>(threads, x, y, [&](const Value* from, std::uint8_t* to, int64_t rows, Scratch&) {
    for (int64_t k = 0; k < out_channels; k += PANEL)
      multiply<Value>({from, x.stride, 1, 0, channels / PACKED, weights + k * channels, nullptr, 0, scale + k, bias + k,
                       to + k, y.stride},
                      rows, out_channels - k);
  });
}

// --- 3x3x3 ------------------------------------------------------------------------------------------------------------

template <class Shorts>
inline Shorts widen(const std::uint8_t* p) {
  if constexpr (sizeof(Shorts) == 64)
    return reinterpret_cast<Shorts>(_mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
  else
    return reinterpret_cast<Shorts>(_mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}

template <class Shorts>
inline void transform_channels(const View& x, Tile tile, int64_t channel, std::int16_t* points, int64_t point) {
  const std::uint8_t* input = static_cast<const std::uint8_t*>(x.data) + channel;
  Shorts d[POINTS];
  transform_tile(x, tile, [&](int64_t place) { return widen<Shorts>(input + place); }, d);
  for (int p = 0; p < POINTS; ++p) write(points + p * point, d[p]);
}

typedef std::int16_t Shorts16 __attribute__((vector_size(32)));
typedef std::int16_t Shorts32 __attribute__((vector_size(64)));

void convolve3(Threads& threads, const View& x, int64_t channels, const std::int16_t* weights, const float* scale,
               const float* bias, int64_t out_channels, const View& y) {
  const TileBlocks blocks(y, ROWS);
  const int64_t point = odd_lines(blocks.size * channels * 2) / 2, product = odd_lines(blocks.size * PANEL * 4) / 4;
  threads.run(ceil_div(blocks.count, blocks.size), [&](int64_t block, Scratch& scratch) {
    const int64_t begin = block * blocks.size, count = std::min(blocks.size, blocks.count - begin);
    std::int32_t* products = static_cast<std::int32_t*>(
        scratch.reserve(POINTS * point * 2 + (POINTS_PLANE + POINTS_T * TILE_PLANE) * product * 4));
    float* planes = reinterpret_cast<float*>(products + POINTS_PLANE * product);
    std::int16_t* points = reinterpret_cast<std::int16_t*>(planes + POINTS_T * TILE_PLANE * product);
    for (int64_t i = 0; i < count; ++i) {
      const Tile tile = blocks.tile(begin + i);
      int64_t c = 0;
      for (; c + 32 <= channels; c += 32) transform_channels<Shorts32>(x, tile, c, points + i * channels + c, point);
      for (; c < channels; c += 16) transform_channels<Shorts16>(x, tile, c, points + i * channels + c, point);
    }
    for (int64_t k = 0; k < out_channels; k += PANEL) {
      const int64_t width = std::min<int64_t>(PANEL, out_channels - k);
      for (int t = 0; t < POINTS_T; ++t) {
        for (int p = 0; p < POINTS_PLANE; ++p) {
          const int64_t all = t * POINTS_PLANE + p;
          multiply<std::int16_t>({points + all * point, channels, 1, 0, channels / 2,
                                  weights + (POINTS * k + all * width) * channels, products + p * product, PANEL},
                                 count, width);
        }
        for (int64_t n = 0; n < width; n += LANES) {
          const float* scales = scale + POINTS * k + t * POINTS_PLANE * width + n;
          for (int64_t i = 0; i < count; ++i) {
            const std::int32_t* from = products + i * PANEL + n;
            float* to = planes + t * TILE_PLANE * product + i * PANEL + n;
            transform_plane_back<Vec>([&](int p) { return scaled(from + p * product, scales + p * width); },
                                      [&](int q, Vec value) { write(to + q * product, value); });
          }
        }
      }
      for (int64_t n = 0; n < width; n += LANES) {
        const Vec offset = read<Vec>(bias + k + n);
        std::uint8_t* output = static_cast<std::uint8_t*>(y.data) + k + n;
        for (int64_t i = 0; i < count; ++i) {
          const float* from = planes + i * PANEL + n;
          transform_time_back<Vec>([&](int t, int q) { return read<Vec>(from + (t * TILE_PLANE + q) * product); },
                                   blocks.tile(begin + i), y,
                                   [&](int64_t place, Vec value) { store_bytes(output + place, value + offset); });
        }
      }
    }
  });
}

// --- 7x7x7 ------------------------------------------------------------------------------------------------------------

// Pixels as -127.5 … 127.5, so that transformed they stay below 2^15; what is not whole is rounded.
constexpr float STEM_SCALE = 127.5f;

void stem(Threads& threads, const View& x, bool floats, const std::int16_t* weights, const float* scale,
          const float* bias, int64_t out_channels, const View& y, const Window& window) {
  constexpr int PAIRS = (STEM_KERNEL * 3 + 1) / 2;
  const int64_t product = odd_lines(STEM_W * PANEL * 4) / 4;
  stem_tiles<Vec>(threads, x, floats, y, window, STEM_SCALE, [&](StemBand<Vec>& band, Tile tile, int64_t count,
                                                                 Scratch& scratch) {
    // One vector more: the last pair of the last line reads a value that its weight of zero leaves out.
    std::int32_t* products = static_cast<std::int32_t*>(
        scratch.reserve(STEM_POINTS * (PHASES * STEM_LINE * 2 + product * 4) + 64));
    std::int16_t* points = reinterpret_cast<std::int16_t*>(products + STEM_POINTS * product);
    band.transform([&](int64_t place, Vec value) {
      const __m512i integers = _mm512_cvtps_epi32(reinterpret_cast<__m512>(value));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(points + place), _mm512_cvtsepi32_epi16(integers));
    });
    for (int64_t k = 0; k < out_channels; k += PANEL) {
      const int64_t width = std::min<int64_t>(PANEL, out_channels - k);
      for (int p = 0; p < STEM_POINTS; ++p)
        multiply<std::int16_t>({points + p * PHASES * STEM_LINE, 6, PHASES, STEM_LINE, PAIRS,
                  weights + (STEM_POINTS * k + p * width) * PHASES * PAIRS * 2, products + p * product, PANEL},
                 count, width);
      for (int64_t n = 0; n < width; n += LANES) {
        const Vec offset = read<Vec>(bias + k + n);
        const float* scales = scale + STEM_POINTS * k + n;
        std::int16_t* output = static_cast<std::int16_t*>(y.data) + k + n;
        for (int64_t i = 0; i < count; ++i) {
          const std::int32_t* from = products + i * PANEL + n;
          transform_stem_back<Vec>([&](int p) { return scaled(from + p * product, scales + p * width); },
                                   Tile{tile.t, tile.h, tile.w + i}, y,
                                   [&](int64_t place, Vec value) { store_shorts(output + place, value + offset); });
        }
      }
    }
  });
}

// --- max pool ---------------------------------------------------------------------------------------------------------

typedef std::uint8_t Bytes16 __attribute__((vector_size(16)));
typedef std::uint8_t Bytes32 __attribute__((vector_size(32)));
typedef std::uint8_t Bytes64 __attribute__((vector_size(64)));

void max_pool(Threads& threads, const View& x, int64_t channels, const View& y, const Window& window) {
  if (channels % 64 == 0)
    pool_lines<Bytes64, std::uint8_t>(threads, x, channels, y, window);
  else if (channels % 32 == 0)
    pool_lines<Bytes32, std::uint8_t>(threads, x, channels, y, window);
  else
    pool_lines<Bytes16, std::uint8_t>(threads, x, channels, y, window);
}

void max_pool_shorts(Threads& threads, const View& x, int64_t channels, const View& y, const Window& window) {
  if (channels % 32 == 0)
    pool_lines<Shorts32, std::int16_t>(threads, x, channels, y, window);
  else
    pool_lines<Shorts16, std::int16_t>(threads, x, channels, y, window);
}

}  // namespace

extern const IntegerKernels integer_kernels;
const IntegerKernels integer_kernels = {
    pointwise, pointwise_in_place<std::uint8_t, std::int8_t>, pointwise_in_place<std::int16_t, std::int16_t>,
    convolve3, stem,           max_pool,
    max_pool_shorts};

}  // namespace quovadis
